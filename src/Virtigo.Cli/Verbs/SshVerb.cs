using System.CommandLine;
using System.Diagnostics;
using Virtigo.Cli.Output;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo ssh</c>: SSH into machines through their channels, without a network.</summary>
internal static class SshVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string?> machine = new("machine")
        {
            Description = "environment/machine, or the machine alone when only one environment that is up has it; with --config, an environment",
            Arity = ArgumentArity.ZeroOrOne,
        };
        machine.CompletionSources.AddRange(KeptTargets.Machine(host).CompletionSources);
        WordsArgument words = new("arguments", "More for ssh: a command, or its options after --");
        Option<bool> config = new("--config") { Description = "Print a block for ~/.ssh/config, with every machine as a host" };
        var verb = new Verb("ssh", "Log in to a machine that is up by SSH; no network is involved",
            "virtigo ssh server",
            "virtigo ssh server -- -L 8080:localhost:80 -N     # options of ssh after --",
            "virtigo ssh --config shop > shop.ssh              # then: scp -F shop.ssh page.html server:/srv/",
            "rsync -e 'ssh -F shop.ssh' -a site/ server:/srv/")
        {
            machine, words, config,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var environments = new RunningEnvironments(host.Paths);
            string? target = run.Value(machine);
            if (run.Value(config))
            {
                RunningEnvironment which = await environments.FindAsync(target, cancellationToken);
                host.Data.Write(await which.SshConfigAsync(Connect, cancellationToken));
                return 0;
            }

            (RunningEnvironment environment, string name) = target is not null
                ? await environments.FindMachineAsync(target, cancellationToken)
                : await OnlyMachineAsync(environments, cancellationToken);
            return await RunSshAsync(await environment.SshConfigAsync(Connect, cancellationToken), name, run.Value(words)!, cancellationToken);
        });
        return verb;
    }

    /// <summary>What ssh's <c>ProxyCommand</c> runs.</summary>
    public static Verb ConnectVerb(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Option<bool> ssh = new("--ssh") { Description = "To the machine's SSH server" };
        Option<int?> port = new("--port") { Description = "To a TCP port of the machine", HelpName = "number" };
        var verb = new Verb("connect", "Join standard input and output to a machine that is up",
            "ssh -o ProxyCommand='virtigo connect --ssh shop/server' root@server",
            "virtigo connect --port 80 server")
        {
            machine, ssh, port,
        };
        verb.Hidden = true;
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            await using GuestCall call = (run.Value(ssh), run.Value(port)) switch
            {
                (true, null) => await environment.OpenSshAsync(name, cancellationToken),
                (false, { } number) => await environment.ConnectAsync(name, number, cancellationToken),
                _ => throw new VirtigoException(FailureKind.Usage, "To what is to be connected?", "Give either --ssh or --port."),
            };
            return await CallBridge.RunAsync(call, raw: false, sysRq: null, cancellationToken) ?? 0;
        });
        return verb;
    }

    private static IReadOnlyList<string> Connect => [.. SelfCommand.Words, "connect", "--ssh"];

    private static async Task<(RunningEnvironment Environment, string Machine)> OnlyMachineAsync(
        RunningEnvironments environments, CancellationToken cancellationToken)
    {
        RunningEnvironment environment = await environments.FindAsync(null, cancellationToken);
        return environment.MachineNames is [string only]
            ? (environment, only)
            : throw new VirtigoException(FailureKind.Usage, $"{environment.Name} has several machines.", $"Say which one is meant: {string.Join(", ", environment.MachineNames)}.");
    }

    /// <summary>Runs the host's ssh on this terminal. Its configuration has no secrets; it is removed at the end.</summary>
    private static async Task<int> RunSshAsync(string config, string machine, string[] words, CancellationToken cancellationToken)
    {
        string file = Path.Combine(Path.GetTempPath(), $"virtigo-ssh-{Guid.NewGuid():N}");
        var access = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        try
        {
            await using (var writer = new StreamWriter(file, access))
            {
                await writer.WriteAsync(config.AsMemory(), cancellationToken);
            }

            var start = new ProcessStartInfo("ssh") { UseShellExecute = false };
            foreach (string word in (string[])["-F", file, machine, .. words])
            {
                start.ArgumentList.Add(word);
            }

            using Process ssh = Process.Start(start)!;

            // Ctrl-C goes to ssh too, and its end is awaited however it comes.
            await ssh.WaitForExitAsync(CancellationToken.None);
            return ssh.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new VirtigoException(FailureKind.Host, "ssh is not installed.", "apt install openssh-client, or use: virtigo shell " + machine);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
