using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Hypervisors;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo up</c>: an environment to work in by hand, kept by a process of its own.</summary>
internal static class UpVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> file = File();
        Option<string?> name = NameOption();
        Option<string?> hypervisor = HypervisorOptions.ForMachines();
        Option<bool> trusted = HypervisorOptions.Trusted("the machines", HypervisorChoice.Auto);
        Option<string> accelerator = Accelerators.Option();
        Option<bool> foreground = new("--foreground") { Description = "Keep it in this process, until Ctrl-C" };
        var verb = new Verb("up", "Start the environment that a file describes and keep it running, to work in it by hand",
            "virtigo up shop.yml                    # builds and boots what is missing; at once the second time",
            "virtigo up shop.yml --name other       # another copy",
            "virtigo up shop.yml --hypervisor uml   # boots it there, each time",
            "virtigo up shop.yml --json | jq -r '.forwards[].endpoint'")
        {
            file, name, hypervisor, trusted, accelerator, foreground,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            long start = host.Clock.GetTimestamp();
            EnvironmentOptions how = Options(run, hypervisor, accelerator) with { Trusted = run.Value(trusted) };
            using EnvironmentSnapshot ready = await PrepareAsync(run, run.Value(file)!, how, cancellationToken);
            if (run.Value(foreground))
            {
                return await KeepAsync(run, ready, run.Value(name),
                    keeper => Tell(run, PsVerb.Line(keeper.Status), start, "Ctrl-C ends it."), cancellationToken);
            }

            // The snapshot is held until the keeper has it too.
            EnvironmentLine up = await KeeperProcess.StartAsync(
                run, Arguments(run, file, name, accelerator, ready.Hypervisor), ready.BootsEachFork ? "Its machines boot." : null, cancellationToken);
            Tell(run, up, start, $"End it: virtigo down {up.Name}");
            return 0;
        });
        return verb;
    }

    /// <summary>What the process that keeps an environment runs.</summary>
    public static Verb Keep(GlobalOptions options, CliHost host)
    {
        Argument<string> file = File();
        Option<string?> name = NameOption();
        Option<string?> hypervisor = HypervisorOptions.ForMachines();
        Option<string> accelerator = Accelerators.Option();
        var verb = new Verb(KeeperProcess.VerbName, "Keep an environment running until it is told to end; virtigo up starts this", "virtigo keep shop.yml --json")
        {
            file, name, hypervisor, accelerator,
        };
        verb.Hidden = true;
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(run.Value(file)!).PrepareAsync(Options(run, hypervisor, accelerator), null, cancellationToken);
            return await KeepAsync(run, ready, run.Value(name), keeper =>
            {
                run.Data(JsonSerializer.Serialize(new KeepReport(PsVerb.Line(keeper.Status), null), CliJson.Compact.KeepReport));
                host.Data.Flush();
            }, cancellationToken);
        });
        return verb;
    }

    private static Argument<string> File() => new("file")
    {
        Description = "The description of an environment (YAML)",
        CompletionSources = { _ => Targets.YamlFiles() },
    };

    private static Option<string?> NameOption() => new("--name")
    {
        Description = "The name to find it by [default: the file's name without extension, with a number if that is taken]",
        HelpName = "name",
    };

    private static EnvironmentOptions Options(Invocation run, Option<string?> hypervisor, Option<string> accelerator) =>
        TestVerb.Environment(run, accelerator, "virtigo " + string.Join(' ', run.Result.Tokens.Select(token => token.Value))) with { Hypervisor = run.Value(hypervisor) };

    private static List<string> Arguments(Invocation run, Argument<string> file, Option<string?> name, Option<string> accelerator, string hypervisor)
    {
        List<string> arguments = [run.Value(file)!, "--hypervisor", hypervisor, "--json"];
        if (run.Value(name) is { } wanted)
        {
            arguments.AddRange(["--name", wanted]);
        }

        if (run.Value(accelerator) is { } chosen)
        {
            arguments.AddRange([accelerator.Name, chosen]);
        }

        arguments.AddRange(((Option<bool>[])[run.Options.Offline, run.Options.AllowExpired]).Where(run.Value).Select(option => option.Name));
        return arguments;
    }

    private static async Task<EnvironmentSnapshot> PrepareAsync(Invocation run, string file, EnvironmentOptions how, CancellationToken cancellationToken)
    {
        // Standard output is for what is up in the end.
        await using IBuildDisplay display = IBuildDisplay.For(run.Host, run.Mode with { Json = false });
        return await VirtualEnvironment.FromFile(file).PrepareAsync(how, display, cancellationToken);
    }

    /// <summary>Forks the environment and keeps it until somebody asks for its end, or this process is to end.</summary>
    private static async Task<int> KeepAsync(
        Invocation run, EnvironmentSnapshot ready, string? name, Action<EnvironmentKeeper> tell, CancellationToken cancellationToken)
    {
        VirtualEnvironment environment = await ready.ForkAsync(cancellationToken);
        await using EnvironmentKeeper keeper = await EnvironmentKeeper.StartAsync(environment, name, run.Host.Paths, cancellationToken);
        tell(keeper);
        await keeper.DownRequested.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }

    private static void Tell(Invocation run, EnvironmentLine up, long start, string end)
    {
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(up, CliJson.Indented.EnvironmentLine));
            run.Host.Data.Flush();
            return;
        }

        run.People($"{up.Name} is up ({Words.Time(run.Host.Clock.GetElapsedTime(start))}).");
        List<IReadOnlyList<string>> rows =
        [
            .. up.Machines.Select(machine => (IReadOnlyList<string>)
                ["  " + machine.Name, $"{machine.MemoryMiB} MiB", string.Join(' ', machine.Addresses.SelectMany(address => (string[])[address.Ipv4, address.Ipv6]))]),
            .. up.Forwards.Select(forward => (IReadOnlyList<string>)[$"  {forward.Machine}:{forward.Port}", "on", forward.Endpoint]),
        ];
        Table.Write(run.Host.People, rows);
        run.People($"A root shell: virtigo shell {up.Machines[0].Name}. {end}");
    }
}
