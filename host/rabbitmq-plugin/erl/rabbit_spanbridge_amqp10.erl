%% Context in the application properties of a message of AMQP 1.0.
%%
%% That is where instrumented programs look for it, and what RabbitMQ makes headers of for consumers
%% of other protocols. A message annotation called `traceparent` would be for intermediaries, but
%% its name is reserved, and a peer that does not know it has to detach the link (section 3.2.10).
%%
%% The bytes of every other entry and section stay as they are (section 1.6 has the encodings). A
%% message with a footer is not touched: a footer is for digests and signatures of what is before
%% it (section 3.2.9).
-module(rabbit_spanbridge_amqp10).

-export([read/1, edit/2]).

%% Bytes that an entry may be longer as a header of AMQP 0-9-1: two longer lengths and a type.
-define(GROWTH, 5).

%% Sections of a body that are passed over to find its footer. With more of them there may be one.
-define(SECTIONS_MAX, 64).

-define(SMALL_ULONG, 16#53).
-define(ULONG, 16#80).
-define(APPLICATION_PROPERTIES, 16#74).
-define(FOOTER, 16#78).
-define(STR8, 16#a1).
-define(STR32, 16#b1).
-define(MAP8, 16#c1).
-define(MAP32, 16#d1).

%% The content of a message container that a session has just made. The record is the broker's own.
-define(CONTENT(Properties, Bare, At, BodyAt),
        {msg_body_encoded, _Header, _Annotations, _Section, Properties, Bare, At, BodyAt, _Code}).
-define(PROPERTIES, 5).
-define(BARE, 6).
-define(AT, 7).
-define(BODY_AT, 8).

%% Answers the application properties that are texts as headers, and about how large the properties
%% are as headers; or that the message must stay as it is.
read(?CONTENT(Properties, Bare, _At, BodyAt)) when is_list(Properties), is_integer(BodyAt) ->
    <<_:BodyAt/binary, Body/binary>> = Bare,
    case has_footer(Body, ?SECTIONS_MAX) of
        true ->
            untouchable;
        false ->
            Headers = [{Name, longstr, Value} || {{utf8, Name}, {utf8, Value}} <- Properties],
            {Headers, BodyAt + ?GROWTH * length(Properties)}
    end.

edit(Edits, ?CONTENT(Properties, Bare, At, BodyAt) = Content) ->
    Start = case At of
                [] -> BodyAt;
                _ -> At
            end,
    Length = BodyAt - Start,
    <<Before:Start/binary, Section:Length/binary, Body/binary>> = Bare,
    {Kept, Left} = change(Properties, entries(Section), Edits, Edits, []),
    %% The first to be added is last.
    New = [added(Name, Value) || {Name, Value} <- lists:reverse(Left), Value =/= remove],
    All = lists:reverse(Kept, New),
    Changed = section(2 * length(All), [Encoded || {_, Encoded} <- All]),
    Place = case All of
                [] -> [];
                _ -> Start
            end,
    lists:foldl(fun({Element, Value}, Before0) -> setelement(Element, Before0, Value) end, Content,
                [{?PROPERTIES, [Entry || {Entry, _} <- All]},
                 {?BARE, iolist_to_binary([Before, Changed, Body])},
                 {?AT, Place},
                 {?BODY_AT, Start + iolist_size(Changed)}]).

%% What is in the section, behind the number and the length of its entries.
entries(<<>>) ->
    <<>>;
entries(<<0, ?SMALL_ULONG, ?APPLICATION_PROPERTIES, Map/binary>>) ->
    in_map(Map);
entries(<<0, ?ULONG, ?APPLICATION_PROPERTIES:64, Map/binary>>) ->
    in_map(Map).

in_map(<<?MAP8, Size, _Count, Entries/binary>>) when byte_size(Entries) =:= Size - 1 -> Entries;
in_map(<<?MAP32, Size:32, _Count:32, Entries/binary>>) when byte_size(Entries) =:= Size - 4 ->
    Entries.

section(0, []) ->
    [];
section(Count, Entries) ->
    Size = iolist_size(Entries),
    Map = case Size + 1 =< 16#ff andalso Count =< 16#ff of
              true -> <<?MAP8, (Size + 1), Count>>;
              false -> <<?MAP32, (Size + 4):32, Count:32>>
          end,
    [<<0, ?SMALL_ULONG, ?APPLICATION_PROPERTIES>>, Map, Entries].

%% Goes through the entries as the broker has read them, and their bytes beside. Answers what stays
%% of both, last first, and the edits whose names were not there. The first entry of a name gets the
%% value and keeps its place and its casing; a further one of the name goes.
change([], <<>>, _Edits, Left, Kept) ->
    {Kept, Left};
change([{Key, _} = Entry | Rest], Encoded, Edits, Left, Kept) ->
    {KeyBytes, Behind} = value(Encoded),
    {ValueBytes, Next} = value(Behind),
    case named(Key, Edits) of
        false ->
            change(Rest, Next, Edits, Left, [{Entry, [KeyBytes, ValueBytes]} | Kept]);
        {Name, Value} ->
            Now = case lists:keymember(Name, 1, Left) andalso Value =/= remove of
                      true -> [{{Key, {utf8, Value}}, [KeyBytes, string(Value)]} | Kept];
                      false -> Kept
                  end,
            change(Rest, Next, Edits, lists:keydelete(Name, 1, Left), Now)
    end.

%% Names of context are ASCII; one of another length is not compared.
named(_Key, []) ->
    false;
named({utf8, Key}, [{Name, _} = Edit | _]) when Key =:= Name ->
    Edit;
named({utf8, Key} = Found, [{Name, _} = Edit | Rest]) when byte_size(Key) =:= byte_size(Name) ->
    case string:lowercase(Key) of
        Name -> Edit;
        _ -> named(Found, Rest)
    end;
named(Key, [_ | Rest]) ->
    named(Key, Rest).

added(Name, Value) ->
    {{{utf8, Name}, {utf8, Value}}, [string(Name), string(Value)]}.

string(Text) when byte_size(Text) =< 16#ff -> [<<?STR8, (byte_size(Text))>>, Text];
string(Text) -> [<<?STR32, (byte_size(Text)):32>>, Text].

%% Every section is a value with a descriptor.
has_footer(<<>>, _Left) ->
    false;
has_footer(_Section, 0) ->
    true;
has_footer(<<0, ?SMALL_ULONG, ?FOOTER, _/binary>>, _Left) ->
    true;
has_footer(<<0, ?ULONG, ?FOOTER:64, _/binary>>, _Left) ->
    true;
has_footer(Section, Left) ->
    has_footer(behind(Section), Left - 1).

%% What is behind a value, however often that is described.
behind(<<0, Described/binary>>) ->
    {_Descriptor, Value} = value(Described),
    behind(Value);
behind(Bytes) ->
    {_Value, Rest} = value(Bytes),
    Rest.

%% Splits a value without a descriptor from what follows.
value(<<Code, More/binary>> = Bytes) ->
    split_binary(Bytes, 1 + size(Code bsr 4, More)).

%% Bytes behind the type's code. The upper half of a code says how they are counted.
size(16#4, _) -> 0;
size(16#5, _) -> 1;
size(16#6, _) -> 2;
size(16#7, _) -> 4;
size(16#8, _) -> 8;
size(16#9, _) -> 16;
size(Kind, <<Size, _/binary>>) when Kind =:= 16#a; Kind =:= 16#c; Kind =:= 16#e -> 1 + Size;
size(Kind, <<Size:32, _/binary>>) when Kind =:= 16#b; Kind =:= 16#d; Kind =:= 16#f -> 4 + Size.
