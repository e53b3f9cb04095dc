%% `rabbitmqctl spanbridge_status`. The tool finds commands of plugins by the names of their modules.
-module('Elixir.RabbitMQ.CLI.Ctl.Commands.SpanbridgeStatusCommand').

-behaviour('Elixir.RabbitMQ.CLI.CommandBehaviour').

-export([usage/0, usage_additional/0, usage_doc_guides/0, description/0, help_section/0, scopes/0,
         switches/0, aliases/0, formatter/0, validate/2, merge_defaults/2, banner/2, run/2,
         output/2]).

usage() -> <<"spanbridge_status">>.
usage_additional() -> [].
usage_doc_guides() -> [].
description() -> <<"Displays what Spanbridge has traced on a node, exported and lost">>.
help_section() -> {plugin, spanbridge}.
scopes() -> [ctl, diagnostics].
switches() -> [].
aliases() -> [].
formatter() -> 'Elixir.RabbitMQ.CLI.Formatters.Table'.

validate([], _Options) -> ok;
validate(_Arguments, _Options) -> {validation_failure, too_many_args}.

merge_defaults(Arguments, Options) -> {Arguments, Options}.

banner(_Arguments, #{node := Node}) ->
    <<"Status of Spanbridge on node ", (atom_to_binary(Node))/binary>>.

run(_Arguments, #{node := Node}) ->
    case rpc:call(Node, rabbitmq_spanbridge, status, []) of
        {badrpc, _} = Error -> Error;
        Status -> {stream, [#{name => Name, value => Value} || {Name, Value} <- Status]}
    end.

output(Result, _Options) ->
    'Elixir.RabbitMQ.CLI.DefaultOutput':output(Result).
