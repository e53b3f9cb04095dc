%% The application: starts tracing when the plugin is enabled, stops it when it is disabled.
%%
%% What is wrong with the configuration makes `rabbitmq-plugins enable` fail, and says what it is.
%% At the start of a node it must not: a broker that does not come up loses more than its spans. So
%% there it is an error in the log, the application runs, and nothing is traced.
-module(rabbit_spanbridge_app).

-behaviour(application).

-include_lib("kernel/include/logger.hrl").

-export([try_start/0, start/2, prep_stop/1, stop/1]).

%% What an application gives as a reason, `rabbitmq-plugins` prints inside an error of its own. What
%% a boot step throws it prints as it is, and a boot step runs before its application.
-rabbit_boot_step({?MODULE, [{description, "Spanbridge: whether tracing can be started"},
                             {mfa, {?MODULE, try_start, []}}]}).

%% Starts tracing and stops it again, in a node that runs. Throws an error that says why it cannot
%% be started.
try_start() ->
    case rabbit:is_running() of
        false ->
            ok;
        true ->
            %% In a process of its own, for a supervisor that fails takes along who started it.
            {_, Monitor} = spawn_monitor(fun() -> exit({tried, try_and_stop()}) end),
            receive
                {'DOWN', Monitor, process, _, {tried, ok}} -> ok;
                {'DOWN', Monitor, process, _, {tried, Error}} -> throw(Error);
                {'DOWN', Monitor, process, _, Reason} -> {error, Reason}
            end
    end.

try_and_stop() ->
    process_flag(trap_exit, true),
    case start_tracing() of
        {ok, Supervisor, _Protocols} ->
            gen_server:stop(Supervisor),
            rabbit_spanbridge_publish:stop(),
            ok;
        {error, _} = Error ->
            Error
    end.

start(_Type, _Arguments) ->
    case start_tracing() of
        {ok, Supervisor, Protocols} ->
            lists:member(amqp091, Protocols) andalso rabbit_spanbridge_interceptor:register(),
            ok = rabbit_spanbridge_message:add(Protocols),
            {ok, Supervisor};
        {error, Text} ->
            case rabbit:is_running() of
                true ->
                    {error, Text};
                false ->
                    ?LOG_ERROR("rabbitmq_spanbridge traces nothing: ~ts", [Text]),
                    rabbit_spanbridge_sup:start_link([])
            end
    end.

prep_stop(State) ->
    rabbit_spanbridge_message:remove(),
    rabbit_spanbridge_interceptor:unregister(),
    State.

%% The exporter has ended, and has taken what was queued with it.
stop(_State) ->
    rabbit_spanbridge_publish:stop().

%% Answers the supervisor, and the protocols whose publishes are to be intercepted.
start_tracing() ->
    case rabbit_spanbridge_config:read() of
        {ok, #{protocols := Protocols} = Config} ->
            IsChannels = lists:member(amqp091, Protocols),
            Check = fun() when IsChannels -> rabbit_spanbridge_interceptor:check();
                       () -> ok
                    end,
            case maybe_start([Check, fun rabbit_spanbridge_nif:load/0,
                              fun() -> start_with(Config) end]) of
                {ok, Supervisor} -> {ok, Supervisor, Protocols};
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

%% Answers what the last step answers, or the first error.
maybe_start([Step]) ->
    Step();
maybe_start([Step | Steps]) ->
    case Step() of
        ok -> maybe_start(Steps);
        {error, _} = Error -> Error
    end.

start_with(Config) ->
    case rabbit_spanbridge_publish:start(Config) of
        {ok, Node, Exports} ->
            case rabbit_spanbridge_sup:start_link([{Node, Exports, Config}]) of
                {ok, Supervisor} ->
                    {ok, Supervisor};
                {error, Reason} ->
                    rabbit_spanbridge_publish:stop(),
                    {error, reason(Reason)}
            end;
        {error, _} = Error ->
            Error
    end.

%% What the exporter said is in the middle of what the supervisor says.
reason({shutdown, {failed_to_start_child, _, Text}}) -> Text;
reason(Reason) -> Reason.
