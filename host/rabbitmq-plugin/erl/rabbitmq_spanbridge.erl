%% What an operator may ask for: `rabbitmqctl eval 'rabbitmq_spanbridge:status().'`, and what
%% `rabbitmqctl spanbridge_status` prints.
-module(rabbitmq_spanbridge).

-export([status/0]).

%% Names and values, in the order of names. A counter of several reasons has a row for each.
status() ->
    case rabbit_spanbridge_publish:handle() of
        stopped ->
            [{<<"state">>, <<"stopped">>}];
        Node ->
            {Pid, Exported} = exporter(),
            Failures = rabbit_spanbridge_publish:failures(),
            Own = [{{Name, Reason}, Value}
                   || {Name, Reason, Value} <- rabbit_spanbridge_nif:counters(Node)],
            Untouched = rabbit_spanbridge_message:untouched(),
            Counters = [{{<<"messages_untraced">>, <<"interceptor">>}, Failures},
                        {{<<"injections_skipped">>, <<"footer">>}, Untouched} | Own],
            All = maps:fold(fun add/3, Exported, maps:from_list(Counters)),
            [{<<"state">>, <<"running">>}, {<<"exporter_pid">>, Pid}
             | [{name(Key), Value} || {Key, Value} <- lists:sort(maps:to_list(All))]]
    end.

add(Key, Value, All) ->
    maps:update_with(Key, fun(Other) -> Other + Value end, Value, All).

exporter() ->
    try rabbit_spanbridge_exporter:status()
    catch exit:_ -> {none, #{}}
    end.

name({Name, <<>>}) -> Name;
name({Name, Reason}) -> <<Name/binary, "{", Reason/binary, "}">>.
