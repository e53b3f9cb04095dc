%% The plugin's part of advanced.config, checked: `{rabbitmq_spanbridge, [...]}`.
%%
%% An error names the key, says what was found, and what is allowed. Settings that an `OTEL_*`
%% variable has become that variable, for the native side and for the exporter alike, so that both
%% files are read by one set of rules; the file wins over the broker's environment.
-module(rabbit_spanbridge_config).

-export([read/0, read/1]).

-define(KEYS, [destinations, propagators, sampler, relation, trust, service_name, protocols, otlp]).
-define(DESTINATION_KEYS, [vhost, pattern, trace, relation, trust, spans, service_name]).
-define(OTLP_KEYS, [endpoint, protocol, headers, timeout, compression, certificate, client_key,
                    client_certificate]).
-define(PROPAGATORS, ["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace",
                      "none"]).
-define(SAMPLERS, [always_on, always_off, parentbased_always_on, parentbased_always_off]).
-define(RATIO_SAMPLERS, [traceidratio, parentbased_traceidratio]).
-define(RELATIONS, ["parent", "link", "parent+link", "root", "auto"]).
-define(TRUST, ["accept", "restart"]).
-define(PROTOCOLS, ["amqp091", "amqp10", "mqtt50"]).
%% Not the others: what is larger than a consumer says that it takes ends its session (AMQP 1.0) or is
%% dropped (MQTT), and how much that is cannot be known when a message comes in.
-define(PROTOCOLS_DEFAULT, [amqp091]).
-define(OTLP_PROTOCOLS, ["grpc", "http/protobuf", "http/json"]).
-define(COMPRESSIONS, ["gzip", "none"]).

%% Bytes of one text. Names of vhosts, patterns and services have a few dozen.
-define(TEXT_BYTES_MAX, 4096).

read() ->
    read(application:get_all_env(rabbitmq_spanbridge)).

%% Answers `{ok, Config}` or `{error, Text}`.
read(Settings) ->
    try {ok, config(known(Settings, ?KEYS, ""))}
    catch throw:{invalid, Text} -> {error, unicode:characters_to_binary(Text)}
    end.

config(Settings) ->
    Variables = propagators(Settings) ++ sampler(Settings),
    Otlp = otlp(known(value(otlp, Settings, []), ?OTLP_KEYS, "otlp.")),
    #{variables => [{unicode:characters_to_binary(Name), unicode:characters_to_binary(Value)}
                    || {Name, Value} <- Variables],
      rules => rules(Settings),
      protocols => protocols(Settings),
      exporter => exporter(Variables ++ Otlp)}.

%% The exporter's arguments, and its variables. The arguments name the variables that must be
%% right because the file has them.
exporter(Variables) ->
    %% A variable for traces alone would win over the file.
    Specific = [{"OTEL_EXPORTER_OTLP_TRACES_" ++ Rest, false}
                || {"OTEL_EXPORTER_OTLP_" ++ Rest, _} <- Variables],
    {[Name || {Name, _} <- Variables], Variables ++ Specific}.

%% Rules without `destinations`: one for everything, which carries the settings of the top.
rules(Settings) ->
    case value(destinations, Settings, all) of
        all ->
            [rule("", [], Settings)];
        Destinations when is_list(Destinations), Destinations =/= [] ->
            Numbered = lists:zip(lists:seq(1, length(Destinations)), Destinations),
            [rule(where(Number), known(Destination, ?DESTINATION_KEYS, where(Number)), Settings)
             || {Number, Destination} <- Numbered];
        Other ->
            invalid("destinations", Other, "a list of destinations, each a list of keys and values")
    end.

where(Number) ->
    lists:flatten(io_lib:format("destinations, entry ~b, ", [Number])).

rule(Where, Own, Settings) ->
    Of = fun(Key, Default) -> value(Key, Own, value(Key, Settings, Default)) end,
    Text = fun(Key, Value) -> text(Where ++ atom_to_list(Key), Value) end,
    Word = fun(Key, Words) -> word(Where ++ atom_to_list(Key), Of(Key, hd(Words)), Words) end,
    {Text(vhost, value(vhost, Own, <<>>)),
     Text(pattern, value(pattern, Own, <<>>)),
     boolean(Where ++ "trace", value(trace, Own, true)),
     Word(relation, ["parent+link" | ?RELATIONS]),
     Word(trust, ?TRUST),
     boolean(Where ++ "spans", value(spans, Own, true)),
     Text(service_name, Of(service_name, <<>>))}.

%% Those of which publishes are traced.
protocols(Settings) ->
    Newer = fun(Protocols) -> [Protocol || Protocol <- Protocols, Protocol =/= amqp091] end,
    case {value(protocols, Settings, unset), rabbit_spanbridge_message:is_supported()} of
        {unset, _} ->
            ?PROTOCOLS_DEFAULT;
        {Names, IsSupported} when is_list(Names), Names =/= [] ->
            Words = [binary_to_atom(word("protocols", Name, ?PROTOCOLS)) || Name <- Names],
            case Newer(Words) of
                [Word | _] when not IsSupported ->
                    invalid("protocols", Word, "amqp091; the others need RabbitMQ 4.2");
                _ ->
                    Words
            end;
        {Other, _} ->
            invalid("protocols", Other, ["a list of ", words(?PROTOCOLS)])
    end.

propagators(Settings) ->
    case value(propagators, Settings, unset) of
        unset ->
            [];
        Names when is_list(Names), Names =/= [] ->
            Words = [binary_to_list(word("propagators", Name, ?PROPAGATORS)) || Name <- Names],
            [{"OTEL_PROPAGATORS", lists:flatten(lists:join(",", Words))}];
        Other ->
            invalid("propagators", Other, ["a list of ", words(?PROPAGATORS)])
    end.

sampler(Settings) ->
    Name = "OTEL_TRACES_SAMPLER",
    case value(sampler, Settings, unset) of
        unset ->
            [];
        {Word, Ratio} = Sampler ->
            Known = lists:member(Word, ?RATIO_SAMPLERS),
            case Known andalso is_number(Ratio) andalso Ratio >= 0 andalso Ratio =< 1 of
                true ->
                    [{Name, atom_to_list(Word)}, {Name ++ "_ARG", number(Ratio)}];
                false ->
                    invalid("sampler", Sampler, samplers())
            end;
        Word ->
            case lists:member(Word, ?SAMPLERS) of
                true -> [{Name, atom_to_list(Word)}, {Name ++ "_ARG", ""}];
                false -> invalid("sampler", Word, samplers())
            end
    end.

samplers() ->
    Plain = [atom_to_list(Word) || Word <- ?SAMPLERS],
    Ratio = ["{" ++ atom_to_list(Word) ++ ", 0 to 1}" || Word <- ?RATIO_SAMPLERS],
    words(Plain ++ Ratio).

number(Ratio) when is_integer(Ratio) -> integer_to_list(Ratio);
number(Ratio) -> float_to_list(Ratio, [{decimals, 17}, compact]).

otlp(Settings) ->
    [{"OTEL_EXPORTER_OTLP_" ++ string:uppercase(atom_to_list(Key)), otlp(Key, Value)}
     || {Key, Value} <- Settings].

otlp(protocol, Value) ->
    binary_to_list(word("otlp.protocol", Value, ?OTLP_PROTOCOLS));
otlp(compression, Value) ->
    binary_to_list(word("otlp.compression", Value, ?COMPRESSIONS));
otlp(timeout, Value) when is_integer(Value), Value > 0 ->
    integer_to_list(Value);
otlp(timeout, Value) ->
    invalid("otlp.timeout", Value, "a number of milliseconds above 0");
otlp(headers, Value) when is_list(Value) ->
    lists:flatten(lists:join(",", [header(Header) || Header <- Value]));
otlp(headers, _Secret) ->
    invalid_secret("otlp.headers", "a list of {Name, Value}");
otlp(Key, Value) ->
    unicode:characters_to_list(text("otlp." ++ atom_to_list(Key), Value)).

%% Encoded as the specification of the variable says.
header({Name, Value}) ->
    [unicode:characters_to_list(text("otlp.headers", Name)), "=",
     uri_string:quote(unicode:characters_to_list(text("otlp.headers", Value)))];
header(_Secret) ->
    invalid_secret("otlp.headers", "a list of {Name, Value}").

%% Answers the settings, of which each is one of the keys, once.
known(Settings, Keys, Where) when is_list(Settings) ->
    Seen = fun({Key, _}, Before) ->
                   lists:member(Key, Keys) orelse unknown(Where, Key, Keys),
                   lists:member(Key, Before) andalso throw_invalid([Where, spell(Key), ": twice"]),
                   [Key | Before];
              (Other, _) ->
                   invalid(Where ++ "an entry", Other, "{Key, Value}")
           end,
    lists:foldl(Seen, [], Settings),
    Settings;
known(Other, _Keys, Where) ->
    invalid(Where ++ "keys", Other, "a list of {Key, Value}").

unknown(Where, Key, Keys) ->
    Names = words([atom_to_list(Allowed) || Allowed <- Keys]),
    throw_invalid([Where, "unknown key ", spell(Key), "; allowed are ", Names]).

value(Key, Settings, Default) ->
    proplists:get_value(Key, Settings, Default).

text(Where, Value) when is_atom(Value) ->
    text(Where, atom_to_binary(Value));
text(Where, Value) when is_binary(Value); is_list(Value) ->
    Text = try unicode:characters_to_binary(Value)
           catch error:badarg -> not_text
           end,
    case Text of
        _ when is_binary(Text), byte_size(Text) =< ?TEXT_BYTES_MAX -> Text;
        _ when is_binary(Text) -> invalid(Where, too_long, "at most 4096 bytes");
        _ -> invalid(Where, Value, "a text")
    end;
text(Where, Value) ->
    invalid(Where, Value, "a text").

word(Where, Value, Words) ->
    Text = text(Where, Value),
    case lists:member(unicode:characters_to_list(Text), Words) of
        true -> Text;
        false -> invalid(Where, Value, words(lists:usort(Words)))
    end.

boolean(_Where, Value) when is_boolean(Value) -> Value;
boolean(Where, Value) -> invalid(Where, Value, "true or false").

words(Words) ->
    lists:join(", ", Words).

spell(Term) ->
    io_lib:format("~tp", [Term]).

invalid(Where, Found, Allowed) ->
    throw_invalid([Where, ": found ", spell(Found), "; allowed: ", Allowed]).

%% Headers hold credentials, and errors go to the log.
invalid_secret(Where, Allowed) ->
    throw_invalid([Where, ": expected ", Allowed]).

throw_invalid(Text) ->
    throw({invalid, Text}).
