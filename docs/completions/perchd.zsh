#compdef perchd

autoload -U is-at-least

_perchd() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_perchd_commands" \
"*::: :->perchd" \
&& ret=0
    case $state in
    (perchd)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check-config)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'--example[Print a configuration file with every key, its meaning and its default, without checking anything]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(probe)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'--json[Print JSON, for programs]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(setup-code)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(user)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
":: :_perchd__subcmd__user_commands" \
"*::: :->user" \
&& ret=0

    case $state in
    (user)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-user-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--role=[What the account may do]:ROLE:((viewer\:"Watches, chats, follows"
streamer\:"Also goes live"
owner\:"Also runs the site"))' \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':username -- Up to 20 letters, digits, _, - and :_default' \
&& ret=0
;;
(passwd)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
':username -- The account:_default' \
&& ret=0
;;
(role)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':username -- The account:_default' \
':role -- The new role:((viewer\:"Watches, chats, follows"
streamer\:"Also goes live"
owner\:"Also runs the site"))' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_perchd__subcmd__user__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-user-help-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(passwd)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(role)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(registration)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::who -- Who may register from now on:((closed\:"Nobody\: the owner creates the accounts"
approval\:"Everyone; the owner approves each account"
open\:"Everyone, at once"))' \
&& ret=0
;;
(recordings)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
":: :_perchd__subcmd__recordings_commands" \
"*::: :->recordings" \
&& ret=0

    case $state in
    (recordings)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-recordings-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(rebuild)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_perchd__subcmd__recordings__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-recordings-help-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rebuild)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
':file -- The file to create:_files' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
':file -- A backup from `export` or from the page:_files' \
&& ret=0
;;
(openapi)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file \[default\: /etc/perch/perch.toml, which may be missing\]]:FILE:_files' \
'--data-dir=[Folder for everything Perch keeps \[also\: \`PERCH_DATA_DIR\`\]]:DIR:_default' \
'*--listen=[Address to listen on, such as \[\:\:\]\:8080; repeat it for more \[also\: \`PERCH_LISTEN\`\]]:ADDR:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_perchd__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check-config)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(probe)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(setup-code)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(user)
_arguments "${_arguments_options[@]}" : \
":: :_perchd__subcmd__help__subcmd__user_commands" \
"*::: :->user" \
&& ret=0

    case $state in
    (user)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-help-user-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(passwd)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(role)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(registration)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(recordings)
_arguments "${_arguments_options[@]}" : \
":: :_perchd__subcmd__help__subcmd__recordings_commands" \
"*::: :->recordings" \
&& ret=0

    case $state in
    (recordings)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:perchd-help-recordings-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rebuild)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(openapi)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_perchd_commands] )) ||
_perchd_commands() {
    local commands; commands=(
'run:Run the daemon (the default without a command)' \
'check-config:Check the configuration and print every problem with its line; exit 1 if there is any' \
'probe:List cameras, encoders and GPIO chips, what each configured camera would use, and why not something else' \
'setup-code:Print the first-run code, until there is an owner' \
'user:Create, change and list accounts' \
'registration:Print who may register, or set it' \
'recordings:List recordings, check their files, and rebuild their indexes' \
'export:Write a backup of the store; works while the daemon runs' \
'import:Restore a backup into a store without accounts; not while the daemon runs. Asks for the password of its stream keys' \
'openapi:Print the \`OpenAPI\` document of the HTTP interface' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd commands' commands "$@"
}
(( $+functions[_perchd__subcmd__check-config_commands] )) ||
_perchd__subcmd__check-config_commands() {
    local commands; commands=()
    _describe -t commands 'perchd check-config commands' commands "$@"
}
(( $+functions[_perchd__subcmd__export_commands] )) ||
_perchd__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'perchd export commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help_commands] )) ||
_perchd__subcmd__help_commands() {
    local commands; commands=(
'run:Run the daemon (the default without a command)' \
'check-config:Check the configuration and print every problem with its line; exit 1 if there is any' \
'probe:List cameras, encoders and GPIO chips, what each configured camera would use, and why not something else' \
'setup-code:Print the first-run code, until there is an owner' \
'user:Create, change and list accounts' \
'registration:Print who may register, or set it' \
'recordings:List recordings, check their files, and rebuild their indexes' \
'export:Write a backup of the store; works while the daemon runs' \
'import:Restore a backup into a store without accounts; not while the daemon runs. Asks for the password of its stream keys' \
'openapi:Print the \`OpenAPI\` document of the HTTP interface' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__check-config_commands] )) ||
_perchd__subcmd__help__subcmd__check-config_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help check-config commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__export_commands] )) ||
_perchd__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help export commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__help_commands] )) ||
_perchd__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__import_commands] )) ||
_perchd__subcmd__help__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help import commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__openapi_commands] )) ||
_perchd__subcmd__help__subcmd__openapi_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help openapi commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__probe_commands] )) ||
_perchd__subcmd__help__subcmd__probe_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help probe commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__recordings_commands] )) ||
_perchd__subcmd__help__subcmd__recordings_commands() {
    local commands; commands=(
'list:List them\: stream, state, seconds, bytes, name' \
'verify:Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs' \
'rebuild:Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs' \
    )
    _describe -t commands 'perchd help recordings commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__recordings__subcmd__list_commands] )) ||
_perchd__subcmd__help__subcmd__recordings__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help recordings list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__recordings__subcmd__rebuild_commands] )) ||
_perchd__subcmd__help__subcmd__recordings__subcmd__rebuild_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help recordings rebuild commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__recordings__subcmd__verify_commands] )) ||
_perchd__subcmd__help__subcmd__recordings__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help recordings verify commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__registration_commands] )) ||
_perchd__subcmd__help__subcmd__registration_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help registration commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__run_commands] )) ||
_perchd__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help run commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__setup-code_commands] )) ||
_perchd__subcmd__help__subcmd__setup-code_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help setup-code commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__user_commands] )) ||
_perchd__subcmd__help__subcmd__user_commands() {
    local commands; commands=(
'add:Create an account; its password is typed, or read from standard input' \
'passwd:Set an account'\''s password and log it out everywhere' \
'role:Change an account'\''s role' \
'list:List the accounts\: name, role, standing' \
    )
    _describe -t commands 'perchd help user commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__user__subcmd__add_commands] )) ||
_perchd__subcmd__help__subcmd__user__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help user add commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__user__subcmd__list_commands] )) ||
_perchd__subcmd__help__subcmd__user__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help user list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__user__subcmd__passwd_commands] )) ||
_perchd__subcmd__help__subcmd__user__subcmd__passwd_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help user passwd commands' commands "$@"
}
(( $+functions[_perchd__subcmd__help__subcmd__user__subcmd__role_commands] )) ||
_perchd__subcmd__help__subcmd__user__subcmd__role_commands() {
    local commands; commands=()
    _describe -t commands 'perchd help user role commands' commands "$@"
}
(( $+functions[_perchd__subcmd__import_commands] )) ||
_perchd__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'perchd import commands' commands "$@"
}
(( $+functions[_perchd__subcmd__openapi_commands] )) ||
_perchd__subcmd__openapi_commands() {
    local commands; commands=()
    _describe -t commands 'perchd openapi commands' commands "$@"
}
(( $+functions[_perchd__subcmd__probe_commands] )) ||
_perchd__subcmd__probe_commands() {
    local commands; commands=()
    _describe -t commands 'perchd probe commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings_commands] )) ||
_perchd__subcmd__recordings_commands() {
    local commands; commands=(
'list:List them\: stream, state, seconds, bytes, name' \
'verify:Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs' \
'rebuild:Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd recordings commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__help_commands] )) ||
_perchd__subcmd__recordings__subcmd__help_commands() {
    local commands; commands=(
'list:List them\: stream, state, seconds, bytes, name' \
'verify:Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs' \
'rebuild:Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd recordings help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__help__subcmd__help_commands] )) ||
_perchd__subcmd__recordings__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings help help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__help__subcmd__list_commands] )) ||
_perchd__subcmd__recordings__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings help list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__help__subcmd__rebuild_commands] )) ||
_perchd__subcmd__recordings__subcmd__help__subcmd__rebuild_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings help rebuild commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__help__subcmd__verify_commands] )) ||
_perchd__subcmd__recordings__subcmd__help__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings help verify commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__list_commands] )) ||
_perchd__subcmd__recordings__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__rebuild_commands] )) ||
_perchd__subcmd__recordings__subcmd__rebuild_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings rebuild commands' commands "$@"
}
(( $+functions[_perchd__subcmd__recordings__subcmd__verify_commands] )) ||
_perchd__subcmd__recordings__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'perchd recordings verify commands' commands "$@"
}
(( $+functions[_perchd__subcmd__registration_commands] )) ||
_perchd__subcmd__registration_commands() {
    local commands; commands=()
    _describe -t commands 'perchd registration commands' commands "$@"
}
(( $+functions[_perchd__subcmd__run_commands] )) ||
_perchd__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'perchd run commands' commands "$@"
}
(( $+functions[_perchd__subcmd__setup-code_commands] )) ||
_perchd__subcmd__setup-code_commands() {
    local commands; commands=()
    _describe -t commands 'perchd setup-code commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user_commands] )) ||
_perchd__subcmd__user_commands() {
    local commands; commands=(
'add:Create an account; its password is typed, or read from standard input' \
'passwd:Set an account'\''s password and log it out everywhere' \
'role:Change an account'\''s role' \
'list:List the accounts\: name, role, standing' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd user commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__add_commands] )) ||
_perchd__subcmd__user__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user add commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help_commands] )) ||
_perchd__subcmd__user__subcmd__help_commands() {
    local commands; commands=(
'add:Create an account; its password is typed, or read from standard input' \
'passwd:Set an account'\''s password and log it out everywhere' \
'role:Change an account'\''s role' \
'list:List the accounts\: name, role, standing' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'perchd user help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help__subcmd__add_commands] )) ||
_perchd__subcmd__user__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user help add commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help__subcmd__help_commands] )) ||
_perchd__subcmd__user__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user help help commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help__subcmd__list_commands] )) ||
_perchd__subcmd__user__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user help list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help__subcmd__passwd_commands] )) ||
_perchd__subcmd__user__subcmd__help__subcmd__passwd_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user help passwd commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__help__subcmd__role_commands] )) ||
_perchd__subcmd__user__subcmd__help__subcmd__role_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user help role commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__list_commands] )) ||
_perchd__subcmd__user__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user list commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__passwd_commands] )) ||
_perchd__subcmd__user__subcmd__passwd_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user passwd commands' commands "$@"
}
(( $+functions[_perchd__subcmd__user__subcmd__role_commands] )) ||
_perchd__subcmd__user__subcmd__role_commands() {
    local commands; commands=()
    _describe -t commands 'perchd user role commands' commands "$@"
}

if [ "$funcstack[1]" = "_perchd" ]; then
    _perchd "$@"
else
    compdef _perchd perchd
fi
