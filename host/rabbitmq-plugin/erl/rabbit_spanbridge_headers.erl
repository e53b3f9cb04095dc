%% Headers of a message with a few of them changed.
%%
%% Every other entry stays what and where it is. A name that is there in any casing keeps it, and
%% its place; a further one of the name goes. A new one is added behind the others.
-module(rabbit_spanbridge_headers).

-export([edit/2]).

%% Edits come last first, as the native side puts them together.
edit(Edits, Table) ->
    lists:foldr(fun one/2, Table, Edits).

one({Name, Value}, Table) ->
    case lists:any(fun(Entry) -> is_named(Name, Entry) end, Table) of
        false when Value =:= remove -> Table;
        false -> Table ++ [{Name, longstr, Value}];
        true -> replace(Name, Value, Table)
    end.

%% The first entry of the name gets the value, if there is one left.
replace(_Name, _Value, []) ->
    [];
replace(Name, Value, [Entry | Rest]) ->
    case is_named(Name, Entry) of
        false -> [Entry | replace(Name, Value, Rest)];
        true when Value =:= remove -> replace(Name, remove, Rest);
        true -> [{element(1, Entry), longstr, Value} | replace(Name, remove, Rest)]
    end.

%% Names of context are ASCII; one of another length is not compared.
is_named(Name, {Name, _, _}) ->
    true;
is_named(Name, {Other, _, _}) when byte_size(Name) =:= byte_size(Other) ->
    Name =:= string:lowercase(Other);
is_named(_Name, _Entry) ->
    false.
