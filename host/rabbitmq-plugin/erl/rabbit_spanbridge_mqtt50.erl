%% Context in the user properties of a message of MQTT 5.
%%
%% The record is in a header file of another plugin, which need not be there, so it is matched as
%% the tuple that it is.
-module(rabbit_spanbridge_mqtt50).

-export([read/1, edit/2]).

%% Bytes that a property takes as a header of AMQP, besides its name and value.
-define(HEADER_OVERHEAD, 6).

%% Answers the properties as headers, and about how large they are as such.
read({mqtt_msg, _Retain, _Qos, _Topic, _Dup, _Id, _Payload, #{} = Properties, _Time}) ->
    Headers = headers(Properties),
    Sizes = [byte_size(Name) + byte_size(Value) + ?HEADER_OVERHEAD
             || {Name, longstr, Value} <- Headers],
    {Headers, lists:sum(Sizes)}.

edit(Edits, Message) ->
    Properties = element(8, Message),
    Changed = rabbit_spanbridge_headers:edit(Edits, headers(Properties)),
    User = [{Name, Value} || {Name, longstr, Value} <- Changed],
    setelement(8, Message, Properties#{'User-Property' => User}).

headers(Properties) ->
    [{Name, longstr, Value} || {Name, Value} <- maps:get('User-Property', Properties, [])].
