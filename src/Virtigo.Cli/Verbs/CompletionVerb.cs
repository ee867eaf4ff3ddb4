using System.CommandLine;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo completion</c>: scripts that make a shell complete the command. The command itself answers what fits.</summary>
internal static class CompletionVerb
{
    private const string Bash = """
        # bash completion for virtigo
        _virtigo() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(virtigo "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _virtigo virtigo
        """;

    private const string Zsh = """
        #compdef virtigo
        # zsh completion for virtigo
        _virtigo() {
            local -a found
            found=("${(@f)$(virtigo "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -- ${found} || _files
        }
        compdef _virtigo virtigo
        """;

    private const string Fish = """
        # fish completion for virtigo
        complete -c virtigo -a '(virtigo "[suggest:"(commandline -C)"]" (commandline -b) 2>/dev/null)'
        """;

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> shell = new("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var verb = new Verb("completion", "Print a script that makes your shell complete this command",
            "virtigo completion bash > ~/.local/share/bash-completion/completions/virtigo",
            "virtigo completion zsh > ~/.zfunc/_virtigo",
            "virtigo completion fish > ~/.config/fish/completions/virtigo.fish")
        {
            shell,
        };
        verb.Does(options, host, (run, _) =>
        {
            run.Data(run.Value(shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return Task.FromResult(0);
        });
        return verb;
    }
}
