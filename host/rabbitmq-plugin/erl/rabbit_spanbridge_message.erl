%% What RabbitMQ calls, from 4.2 on, for each message of a protocol without channels.
%%
%% Those are AMQP 1.0 and MQTT 5. What a channel takes in passes here, too, and is left alone: the
%% channel's interceptor has seen it, as in every version. Deliveries pass as well; whether a
%% consumer works on one is not known here, so nothing is said of them.
%%
%% Whatever goes wrong below, the message goes on as it came, like there. It is no `-behaviour`,
%% because brokers before 4.2 have none of the name.
-module(rabbit_spanbridge_message).

-export([is_supported/0, add/1, remove/0, untouched/0, intercept/4]).

%% Those that this module knows how to write a context for.
-define(PROTOCOLS, [amqp10, mqtt50]).

%% Where the counter of messages is that must not be changed.
-define(KEY, ?MODULE).

%% Whether the broker has a place to call us from.
is_supported() ->
    {module, rabbit_msg_interceptor} =:= code:ensure_loaded(rabbit_msg_interceptor).

%% An entry for each protocol: what is of another is told apart by the head of a function.
add(Protocols) ->
    case entries(Protocols) of
        [] ->
            ok;
        Entries ->
            persistent_term:put(?KEY, counters:new(1, [])),
            rabbit_msg_interceptor:add(Entries)
    end.

remove() ->
    case is_supported() of
        true ->
            rabbit_msg_interceptor:remove(entries(?PROTOCOLS)),
            persistent_term:erase(?KEY),
            ok;
        false ->
            ok
    end.

entries(Protocols) ->
    [{?MODULE, #{protocol => Protocol}} || Protocol <- ?PROTOCOLS,
                                           lists:member(Protocol, Protocols)].

%% How many messages were left alone because something else in them vouches for their bytes.
untouched() ->
    case persistent_term:get(?KEY, none) of
        none -> 0;
        Untouched -> counters:get(Untouched, 1)
    end.

intercept(Message, #{protocol := Protocol} = Context, incoming, #{protocol := Protocol}) ->
    try traced(Message, Context)
    catch _:_ ->
            catch rabbit_spanbridge_publish:failed(),
            Message
    end;
intercept(Message, _Context, _Stage, _Config) ->
    Message.

%% A message container has no function that changes what a client sent, and to make it anew would
%% lose what it has noted since. So its content is exchanged in place, and the shape of it is
%% looked at first: that of another version fails to match, and the message goes on untraced.
traced({mc, Kind, Content, _Annotations} = Message, #{vhost := VHost, username := User}) ->
    Codec = codec(Kind),
    case Codec:read(Content) of
        {Headers, Size} ->
            To = {mc:exchange(Message), hd(mc:routing_keys(Message))},
            Said = {Headers, text(mc:message_id(Message)), text(mc:correlation_id(Message)), Size},
            case rabbit_spanbridge_publish:edits({VHost, User}, To, Said) of
                unchanged -> Message;
                Edits -> setelement(3, Message, Codec:edit(Edits, Content))
            end;
        untouchable ->
            counters:add(persistent_term:get(?KEY), 1, 1),
            Message
    end.

codec(mc_amqp) -> rabbit_spanbridge_amqp10;
codec(mc_mqtt) -> rabbit_spanbridge_mqtt50.

text({utf8, Text}) -> Text;
text(_) -> undefined.
