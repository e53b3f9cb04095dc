%% Owns the program that exports spans, and feeds it.
%%
%% The program runs outside the broker, behind a pipe; src/frame.rs describes what goes through it.
%% When it ends it is started again, later each time; spans wait in the native queue meanwhile, whose
%% bounds count what they refuse. What was in the pipe or in the program when it ended is counted
%% here, as `exporter_ended`.
-module(rabbit_spanbridge_exporter).

-behaviour(gen_server).

-include_lib("kernel/include/logger.hrl").

-export([start_link/3, status/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% Milliseconds between two looks at the queue. The program batches for longer than that.
-define(TICK, 100).

%% The same while the pipe has no room: the program reads a frame in about a millisecond.
-define(TICK_FULL, 5).

%% Frames handed on at one look, of a quarter of a megabyte each, so that other messages of this
%% process have their turn.
-define(FRAMES_MAX, 64).

%% Longest time that the program may take to say that it is ready, in milliseconds.
-define(READY_MAX, 10000).

%% Milliseconds before the program is started again: at first, and at most.
-define(RESTART_MIN, 500).
-define(RESTART_MAX, 30000).

%% A program that ran so long has not failed at its start.
-define(SETTLED, 60000).

%% Milliseconds between two log lines about a component that fails.
-define(LOG_INTERVAL, 10000).

-record(state, {node, config, port = none, started = 0, wait = ?RESTART_MIN,
                %% A frame that the pipe had no room for.
                pending = none,
                %% Spans handed to this run of the program, and those it has said something about.
                sent = 0, settled = 0,
                counters = #{},
                %% Failures of the component when they were last logged, and when that was.
                failures = 0, logged = 0}).

start_link(Node, Exports, Config) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, {Node, Exports, Config}, []).

%% Counters of the exporter, and the program's process id in the operating system.
status() ->
    gen_server:call(?MODULE, status).

init({Node, Exports, Config}) ->
    process_flag(trap_exit, true),
    State = #state{node = Node, config = Config},
    erlang:send_after(?TICK, self(), tick),
    case Exports of
        false -> {ok, State};
        true -> await_ready(open(State), "")
    end.

handle_call(status, _From, #state{counters = Counters} = State) ->
    {reply, {os_pid(State), Counters}, State};
handle_call(_Other, _From, State) ->
    {reply, unknown, State}.

handle_cast(_Other, State) ->
    {noreply, State}.

handle_info(tick, State) ->
    Fed = feed(report_failures(State), ?FRAMES_MAX),
    erlang:send_after(next_look(Fed), self(), tick),
    {noreply, Fed};
handle_info({Port, {data, Frame}}, #state{port = Port} = State) ->
    {noreply, said(Frame, State)};
handle_info({Port, {exit_status, Status}}, #state{port = Port} = State) ->
    ?LOG_WARNING("rabbitmq_spanbridge: the exporter ended with status ~b", [Status]),
    {noreply, ended(State)};
handle_info({'EXIT', Port, Reason}, #state{port = Port} = State) ->
    ?LOG_WARNING("rabbitmq_spanbridge: the pipe to the exporter broke: ~p", [Reason]),
    {noreply, ended(State)};
handle_info(restart, #state{port = none} = State) ->
    {noreply, open(count(exporter_restarts, <<>>, 1, State))};
handle_info(_Other, State) ->
    {noreply, State}.

%% What is queued goes into the pipe, as far as it has room. Its end tells the program to send that
%% and to end.
terminate(_Reason, State) ->
    #state{port = Port} = feed(State, infinity),
    catch port_close(Port),
    ok.

open(#state{config = #{exporter := {Arguments, Variables}}} = State) ->
    {ok, Path} = rabbit_spanbridge_files:private("spanbridge-exporter", ""),
    Options = [{packet, 4}, binary, exit_status, use_stdio, {args, Arguments}, {env, Variables}],
    Port = open_port({spawn_executable, Path}, Options),
    State#state{port = Port, started = now_ms(), sent = 0, settled = 0}.

%% Until it is ready, the last line that it wrote says why it ends.
await_ready(#state{port = Port} = State, Said) ->
    receive
        {Port, {data, <<"H", _/binary>>}} -> {ok, State};
        {Port, {data, <<"L", Line/binary>>}} -> await_ready(State, Line);
        {Port, {data, _}} -> await_ready(State, Said);
        {Port, {exit_status, Status}} -> {stop, failure(Status, Said)};
        {'EXIT', Port, Reason} -> {stop, failure(Reason, Said)}
    after ?READY_MAX ->
            {stop, <<"the exporter does not start">>}
    end.

failure(Status, Said) ->
    iolist_to_binary(io_lib:format("the exporter ended at its start (~p): ~ts", [Status, Said])).

said(<<"C", Lines/binary>>, State) ->
    lists:foldl(fun counted/2, State, binary:split(Lines, <<"\n">>, [global, trim]));
said(<<"L", Line/binary>>, State) ->
    ?LOG_NOTICE("rabbitmq_spanbridge exporter: ~ts", [Line]),
    State;
said(_Frame, State) ->
    State.

counted(Line, State) ->
    [Name, Reason, Grown] = binary:split(Line, <<"\t">>, [global]),
    Value = binary_to_integer(Grown),
    Counted = count(Name, Reason, Value, State),
    case lists:member(Name, [<<"spans_exported">>, <<"spans_dropped">>]) of
        true -> Counted#state{settled = Counted#state.settled + Value};
        false -> Counted
    end.

count(Name, Reason, Value, State) when is_atom(Name) ->
    count(atom_to_binary(Name), Reason, Value, State);
count(Name, Reason, Value, #state{counters = Counters} = State) ->
    Add = fun(Old) -> Old + Value end,
    State#state{counters = maps:update_with({Name, Reason}, Add, Value, Counters)}.

ended(#state{sent = Sent, settled = Settled, started = Started, wait = Wait} = State) ->
    catch port_close(State#state.port),
    Next = case now_ms() - Started of
               Ran when Ran >= ?SETTLED -> ?RESTART_MIN;
               _ -> Wait
           end,
    erlang:send_after(Next, self(), restart),
    Lost = max(0, Sent - Settled),
    count(<<"spans_dropped">>, <<"exporter_ended">>, Lost,
          State#state{port = none, wait = min(2 * Next, ?RESTART_MAX), sent = 0, settled = 0}).

%% Hands frames on until there is none, or no room.
feed(#state{port = none} = State, _Left) ->
    State;
feed(State, 0) ->
    State;
feed(#state{node = Node, pending = none} = State, Left) ->
    case rabbit_spanbridge_nif:take(Node) of
        empty -> State;
        Frame -> feed(State#state{pending = Frame}, Left)
    end;
feed(#state{port = Port, pending = {Spans, Frame}, sent = Sent} = State, Left) ->
    case (catch port_command(Port, Frame, [nosuspend])) of
        true -> feed(State#state{pending = none, sent = Sent + Spans}, less(Left));
        _ -> State
    end.

next_look(#state{port = Port, pending = Pending}) when Port =/= none, Pending =/= none ->
    ?TICK_FULL;
next_look(_State) ->
    ?TICK.

less(infinity) -> infinity;
less(Left) -> Left - 1.

report_failures(#state{node = Node, failures = Before, logged = Logged} = State) ->
    Now = now_ms(),
    case Now - Logged >= ?LOG_INTERVAL of
        false ->
            State;
        true ->
            Counters = rabbit_spanbridge_nif:counters(Node),
            Failures = lists:sum([Value || {<<"component_failures">>, _, Value} <- Counters]),
            Failures > Before andalso
                ?LOG_WARNING("rabbitmq_spanbridge: the component failed ~b times; messages go on"
                             " as they come", [Failures - Before]),
            State#state{failures = Failures, logged = Now}
    end.

os_pid(#state{port = none}) ->
    none;
os_pid(#state{port = Port}) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, Pid} -> Pid;
        undefined -> none
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).
