%% Supervises the process that owns the exporter.
-module(rabbit_spanbridge_sup).

-behaviour(supervisor).

-export([start_link/1, init/1]).

%% Restarts of the process, which waits by itself before it starts the program again: more than
%% these are a fault of ours, and then spans are dropped and counted by the queue.
-define(RESTARTS_MAX, 10).
-define(SECONDS, 60).

start_link(Exporters) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, Exporters).

init(Exporters) ->
    Flags = #{strategy => one_for_one, intensity => ?RESTARTS_MAX, period => ?SECONDS},
    {ok, {Flags, [child(Exporter) || Exporter <- Exporters]}}.

child({Node, Exports, Config}) ->
    #{id => rabbit_spanbridge_exporter,
      start => {rabbit_spanbridge_exporter, start_link, [Node, Exports, Config]}}.
