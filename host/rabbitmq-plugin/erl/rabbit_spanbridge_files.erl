%% Native files of the plugin, where nobody writes over them.
%%
%% RabbitMQ unpacks every enabled archive again, in place, whenever any plugin is enabled or
%% disabled. A library that is mapped would change under its own feet, and a program that runs cannot
%% be written to, which would make that other plugin fail. So both are used from copies in the
%% node's own folder, named for their content: another build is another file.
-module(rabbit_spanbridge_files).

-export([private/2]).

%% Answers the path of the copy, without its ending, or why there is none.
private(Name, Ending) ->
    Source = filename:join(code:priv_dir(rabbitmq_spanbridge), Name ++ Ending),
    Folder = filename:join(rabbit_mnesia:dir(), "spanbridge"),
    try copy(Source, Folder, Name, Ending)
    catch error:{badmatch, {error, Reason}} ->
            Text = io_lib:format("~ts cannot be copied to ~ts: ~p", [Source, Folder, Reason]),
            {error, unicode:characters_to_binary(Text)}
    end.

copy(Source, Folder, Name, Ending) ->
    {ok, Content} = file:read_file(Source),
    Mark = string:lowercase(binary:encode_hex(erlang:md5(Content))),
    Base = filename:join(Folder, Name ++ "-" ++ binary_to_list(Mark)),
    Path = Base ++ Ending,
    ok = filelib:ensure_dir(Path),
    case file:read_file(Path) of
        {ok, Content} ->
            {ok, Base};
        _ ->
            %% Those of other builds; what is mapped or runs stays until it ends.
            Old = filelib:wildcard(filename:join(Folder, Name ++ "-*")),
            lists:foreach(fun file:delete/1, Old),
            ok = file:write_file(Path ++ ".new", Content),
            ok = file:change_mode(Path ++ ".new", 8#700),
            ok = file:rename(Path ++ ".new", Path),
            {ok, Base}
    end.
