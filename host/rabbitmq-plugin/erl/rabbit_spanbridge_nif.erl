%% The native functions; see nif/src/lib.rs.
-module(rabbit_spanbridge_nif).

-export([load/0, start/3, stop/1, channel/3, publish/4, edits/7, take/1, counters/1]).

-nifs([start/3, stop/1, channel/3, publish/4, edits/7, take/1, counters/1]).

%% Loads the library.
%%
%% A node that had the plugin enabled before has the old instance of this module still, and its
%% library with it; that one has to go first, because a library cannot follow another one.
load() ->
    code:purge(?MODULE),
    case rabbit_spanbridge_files:private("libspanbridge_nif", ".so") of
        {ok, Path} ->
            case erlang:load_nif(Path, 0) of
                ok -> ok;
                {error, {reload, _}} -> ok;
                {error, {_, Text}} ->
                    {error, iolist_to_binary(["the library cannot be loaded: ", Text])}
            end;
        {error, _} = Error ->
            Error
    end.

start(_Variables, _Rules, _Schedulers) -> not_loaded().
stop(_Node) -> not_loaded().
channel(_Node, _VHost, _Service) -> not_loaded().
publish(_Channel, _Exchange, _Key, _Properties) -> not_loaded().
edits(_Channel, _Exchange, _Key, _Headers, _MessageId, _CorrelationId, _Size) -> not_loaded().
take(_Node) -> not_loaded().
counters(_Node) -> not_loaded().

not_loaded() ->
    erlang:nif_error(not_loaded).
