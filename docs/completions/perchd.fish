# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_perchd_global_optspecs
    string join \n config= data-dir= listen= h/help V/version
end

function __fish_perchd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_perchd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_perchd_using_subcommand
    set -l cmd (__fish_perchd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c perchd -n "__fish_perchd_needs_command" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_needs_command" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_needs_command" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_needs_command" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_needs_command" -s V -l version -d 'Print version'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "run" -d 'Run the daemon (the default without a command)'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "check-config" -d 'Check the configuration and print every problem with its line; exit 1 if there is any'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "probe" -d 'List cameras, encoders and GPIO chips, what each configured camera would use, and why not something else'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "setup-code" -d 'Print the first-run code, until there is an owner'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "user" -d 'Create, change and list accounts'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "registration" -d 'Print who may register, or set it'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "recordings" -d 'List recordings, check their files, and rebuild their indexes'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "export" -d 'Write a backup of the store; works while the daemon runs'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "import" -d 'Restore a backup into a store without accounts; not while the daemon runs. Asks for the password of its stream keys'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "openapi" -d 'Print the `OpenAPI` document of the HTTP interface'
complete -c perchd -n "__fish_perchd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand run" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand run" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand run" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand run" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand check-config" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand check-config" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand check-config" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand check-config" -l example -d 'Print a configuration file with every key, its meaning and its default, without checking anything'
complete -c perchd -n "__fish_perchd_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand probe" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand probe" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand probe" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand probe" -l json -d 'Print JSON, for programs'
complete -c perchd -n "__fish_perchd_using_subcommand probe" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand setup-code" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand setup-code" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand setup-code" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand setup-code" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -f -a "add" -d 'Create an account; its password is typed, or read from standard input'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -f -a "passwd" -d 'Set an account\'s password and log it out everywhere'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -f -a "role" -d 'Change an account\'s role'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -f -a "list" -d 'List the accounts: name, role, standing'
complete -c perchd -n "__fish_perchd_using_subcommand user; and not __fish_seen_subcommand_from add passwd role list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from add" -l role -d 'What the account may do' -r -f -a "viewer\t'Watches, chats, follows'
streamer\t'Also goes live'
owner\t'Also runs the site'"
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from add" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from add" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from add" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from passwd" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from passwd" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from passwd" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from role" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from role" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from role" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from role" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from list" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "add" -d 'Create an account; its password is typed, or read from standard input'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "passwd" -d 'Set an account\'s password and log it out everywhere'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "role" -d 'Change an account\'s role'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the accounts: name, role, standing'
complete -c perchd -n "__fish_perchd_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand registration" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand registration" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand registration" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand registration" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -f -a "list" -d 'List them: stream, state, seconds, bytes, name'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -f -a "verify" -d 'Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -f -a "rebuild" -d 'Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and not __fish_seen_subcommand_from list verify rebuild help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from list" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from list" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from verify" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from verify" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from verify" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from rebuild" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from rebuild" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from rebuild" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from rebuild" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "list" -d 'List them: stream, state, seconds, bytes, name'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "rebuild" -d 'Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs'
complete -c perchd -n "__fish_perchd_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand export" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand export" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand export" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand export" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand import" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand import" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand import" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand import" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand openapi" -l config -d 'Configuration file [default: /etc/perch/perch.toml, which may be missing]' -r -F
complete -c perchd -n "__fish_perchd_using_subcommand openapi" -l data-dir -d 'Folder for everything Perch keeps [also: `PERCH_DATA_DIR`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand openapi" -l listen -d 'Address to listen on, such as [::]:8080; repeat it for more [also: `PERCH_LISTEN`]' -r
complete -c perchd -n "__fish_perchd_using_subcommand openapi" -s h -l help -d 'Print help'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "run" -d 'Run the daemon (the default without a command)'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "check-config" -d 'Check the configuration and print every problem with its line; exit 1 if there is any'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "probe" -d 'List cameras, encoders and GPIO chips, what each configured camera would use, and why not something else'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "setup-code" -d 'Print the first-run code, until there is an owner'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "user" -d 'Create, change and list accounts'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "registration" -d 'Print who may register, or set it'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "recordings" -d 'List recordings, check their files, and rebuild their indexes'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "export" -d 'Write a backup of the store; works while the daemon runs'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "import" -d 'Restore a backup into a store without accounts; not while the daemon runs. Asks for the password of its stream keys'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "openapi" -d 'Print the `OpenAPI` document of the HTTP interface'
complete -c perchd -n "__fish_perchd_using_subcommand help; and not __fish_seen_subcommand_from run check-config probe setup-code user registration recordings export import openapi help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "add" -d 'Create an account; its password is typed, or read from standard input'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "passwd" -d 'Set an account\'s password and log it out everywhere'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "role" -d 'Change an account\'s role'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "list" -d 'List the accounts: name, role, standing'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from recordings" -f -a "list" -d 'List them: stream, state, seconds, bytes, name'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from recordings" -f -a "verify" -d 'Read every byte of them, and print what is wrong; exit 1 on anything. Not while perchd runs'
complete -c perchd -n "__fish_perchd_using_subcommand help; and __fish_seen_subcommand_from recordings" -f -a "rebuild" -d 'Rebuild their indexes from the files themselves, and list files again that Perch no longer knew. Not while perchd runs'
