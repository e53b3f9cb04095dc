%% One publish, whatever told us of it.
%%
%% Answers the properties that the message is to have, or that it stays as it is. What intercepts
%% (a channel, or a newer broker's message interceptor) is a thin module above this one.
-module(rabbit_spanbridge_publish).

-export([start/1, stop/0, handle/0, properties/4, edits/3, failed/0, failures/0]).

%% The node's handle, and a counter of failures: where every process finds them.
-define(KEY, rabbit_spanbridge).

%% Where a process keeps the rules of its vhost. They are found once, and again after the plugin was
%% disabled and enabled.
-define(CHANNEL, rabbit_spanbridge_channel).

start(#{variables := Variables, rules := Rules}) ->
    Schedulers = erlang:system_info(schedulers),
    case rabbit_spanbridge_nif:start(Variables, Rules, Schedulers) of
        {ok, {Node, Exports}} ->
            persistent_term:put(?KEY, {Node, counters:new(1, [])}),
            {ok, Node, Exports};
        {error, _} = Error ->
            Error
    end.

%% From here on messages go on as they come, whoever still calls.
stop() ->
    case persistent_term:get(?KEY, stopped) of
        {Node, _} ->
            persistent_term:erase(?KEY),
            rabbit_spanbridge_nif:stop(Node);
        stopped ->
            ok
    end.

%% The handle of the native side, or `stopped`.
handle() ->
    case persistent_term:get(?KEY, stopped) of
        {Node, _} -> Node;
        stopped -> stopped
    end.

%% Says that a message could not be traced because something here failed.
failed() ->
    case persistent_term:get(?KEY, stopped) of
        {_, Failures} -> counters:add(Failures, 1, 1);
        stopped -> ok
    end.

failures() ->
    case persistent_term:get(?KEY, stopped) of
        {_, Failures} -> counters:get(Failures, 1);
        stopped -> 0
    end.

%% `From` is the vhost and whose spans these are; `Properties` are encoded, as of AMQP 0-9-1.
%% Answers `unchanged` or the new properties.
properties(From, Exchange, Key, Properties) ->
    case channel(From) of
        stopped -> unchanged;
        Channel -> rabbit_spanbridge_nif:publish(Channel, Exchange, Key, Properties)
    end.

%% The same of a message of another protocol, whose headers are terms: `To` is the exchange and the
%% routing key. Answers `unchanged` or what is to be done to the headers.
edits(From, {Exchange, Key}, {Headers, MessageId, CorrelationId, Size}) ->
    case channel(From) of
        stopped ->
            unchanged;
        Channel ->
            rabbit_spanbridge_nif:edits(Channel, Exchange, Key, Headers, MessageId, CorrelationId,
                                        Size)
    end.

channel(From) ->
    case {persistent_term:get(?KEY, stopped), get(?CHANNEL)} of
        {stopped, _} ->
            erase(?CHANNEL),
            stopped;
        {{Node, _}, {Node, From, Channel}} ->
            Channel;
        {{Node, _}, _} ->
            {VHost, Service} = From,
            Channel = rabbit_spanbridge_nif:channel(Node, VHost, Service),
            put(?CHANNEL, {Node, From, Channel}),
            Channel
    end.
