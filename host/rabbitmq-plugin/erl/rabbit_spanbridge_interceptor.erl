%% What a channel calls for each `basic.publish`, in RabbitMQ 3.10 to 4.3.
%%
%% Whatever goes wrong below, the message goes on as it came: `intercept/3` is the one place that
%% sees to it. Channels that are open already are told when an interceptor is registered or goes.
-module(rabbit_spanbridge_interceptor).

-behaviour(rabbit_channel_interceptor).

-include_lib("rabbit_common/include/rabbit.hrl").
-include_lib("rabbit_common/include/rabbit_framing.hrl").

-export([check/0, register/0, unregister/0]).
-export([description/0, init/1, intercept/3, applies_to/0]).

-define(NAME, <<"spanbridge">>).

%% Answers why the interceptor cannot be registered, if it cannot: the broker refuses to open any
%% channel while two of them want the same method. From 4.3.6 on, that is: at the same priority.
check() ->
    Others = [Module || {_, Module} <- rabbit_registry:lookup_all(channel_interceptor),
                        Module =/= ?MODULE,
                        priority(Module) =:= priority(?MODULE),
                        lists:any(fun(Method) -> lists:member(Method, Module:applies_to()) end,
                                  applies_to())],
    case Others of
        [] ->
            ok;
        [Other | _] ->
            {error, unicode:characters_to_binary(
                      io_lib:format("`~ts` intercepts basic.publish already, and RabbitMQ allows"
                                    " one interceptor for a method: ~ts", [Other, remedy()]))}
    end.

remedy() ->
    case has_priorities() of
        false ->
            "disable the plugin that it belongs to first";
        true ->
            "disable the plugin that it belongs to first, or give one of them another priority,"
            " such as with {rabbit, [{channel_interceptor_priorities,"
            " [{rabbit_spanbridge_interceptor, 1}]}]} in advanced.config"
    end.

priority(Module) ->
    case has_priorities() of
        false -> 0;
        true ->
            Priorities = application:get_env(rabbit, channel_interceptor_priorities, []),
            proplists:get_value(Module, Priorities, 0)
    end.

has_priorities() ->
    _ = code:ensure_loaded(rabbit_channel_interceptor),
    erlang:function_exported(rabbit_channel_interceptor, set_priorities, 1).

register() ->
    rabbit_registry:register(channel_interceptor, ?NAME, ?MODULE).

unregister() ->
    rabbit_registry:unregister(channel_interceptor, ?NAME).

description() ->
    [{description, <<"Spanbridge: trace context and publish spans">>}].

applies_to() ->
    ['basic.publish'].

%% Answers the vhost, and whose spans the channel's publishes are.
init(Channel) ->
    try {rabbit_channel:get_vhost(Channel), service(Channel)}
    catch _:_ -> untraced
    end.

intercept(Method, Content, From) ->
    try {Method, traced(Method, Content, From)}
    catch _:_ ->
            catch rabbit_spanbridge_publish:failed(),
            {Method, Content}
    end.

traced(_Method, Content, untraced) ->
    Content;
traced(#'basic.publish'{exchange = Exchange, routing_key = Key}, Content, From) ->
    case rabbit_spanbridge_publish:properties(From, Exchange, Key, encoded(Content)) of
        unchanged -> Content;
        Changed -> Content#content{properties = none, properties_bin = Changed,
                                   protocol = rabbit_framing_amqp_0_9_1}
    end;
traced(_Method, Content, _From) ->
    Content.

%% What a client sent is there in its encoding. What another plugin made, or a connection from
%% inside the broker, such as that of MQTT before 4.0, may not be, and then says no protocol either.
encoded(#content{properties_bin = Encoded}) when is_binary(Encoded) ->
    Encoded;
encoded(#content{properties_bin = none, properties = Properties}) ->
    iolist_to_binary(rabbit_framing_amqp_0_9_1:encode_properties(Properties)).

%% The name that the client gave its connection, else its user.
service(Channel) ->
    case (catch connection_name(Channel)) of
        Name when is_binary(Name), Name =/= <<>> ->
            Name;
        _ ->
            #user{username = User} = rabbit_channel:get_user(Channel),
            User
    end.

%% The connection is one of the processes in the configuration of a channel. That record is in no
%% header file, and has another shape in newer brokers.
connection_name(Channel) ->
    Processes = lists:filter(fun is_pid/1, tuple_to_list(element(2, Channel))),
    [{_, Infos} | _] = lists:flatmap(fun(Process) -> ets:lookup(connection_created, Process) end,
                                     Processes),
    {client_properties, Properties} = lists:keyfind(client_properties, 1, Infos),
    {_, longstr, Name} = lists:keyfind(<<"connection_name">>, 1, Properties),
    Name.
