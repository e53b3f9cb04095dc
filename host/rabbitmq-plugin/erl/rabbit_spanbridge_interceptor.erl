%% What a channel of RabbitMQ 3.10 calls for each `basic.publish`.
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

%% Where the process id of the connection is in the configuration of a channel. The record is not
%% in a header file; another shape of it leaves spans with the user's name.
-define(CONNECTION_PID, 7).

%% Answers why the interceptor cannot be registered, if it cannot: a broker of before 4.3.6 refuses
%% to open any channel while two of them want the same method.
check() ->
    Others = [Module || {_, Module} <- rabbit_registry:lookup_all(channel_interceptor),
                        Module =/= ?MODULE,
                        lists:any(fun(Method) -> lists:member(Method, Module:applies_to()) end,
                                  applies_to())],
    case Others of
        [] ->
            ok;
        [Other | _] ->
            {error, iolist_to_binary(
                      io_lib:format("`~s` intercepts basic.publish already, and RabbitMQ allows one"
                                    " interceptor for a method: disable the plugin that it belongs"
                                    " to first", [Other]))}
    end.

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
    %% What a client sent is there in its encoding; what another plugin made may not be.
    Encoded = rabbit_binary_generator:ensure_content_encoded(Content, rabbit_framing_amqp_0_9_1),
    #content{properties_bin = Properties} = Encoded,
    case rabbit_spanbridge_publish:properties(From, Exchange, Key, Properties) of
        unchanged -> Content;
        Changed -> Encoded#content{properties = none, properties_bin = Changed}
    end;
traced(_Method, Content, _From) ->
    Content.

%% The name that the client gave its connection, else its user.
service(Channel) ->
    case (catch connection_name(Channel)) of
        Name when is_binary(Name), Name =/= <<>> ->
            Name;
        _ ->
            #user{username = User} = rabbit_channel:get_user(Channel),
            User
    end.

connection_name(Channel) ->
    Connection = element(?CONNECTION_PID, element(2, Channel)),
    true = is_pid(Connection),
    [{_, Infos}] = ets:lookup(connection_created, Connection),
    {client_properties, Properties} = lists:keyfind(client_properties, 1, Infos),
    {_, longstr, Name} = lists:keyfind(<<"connection_name">>, 1, Properties),
    Name.
