using System.CommandLine;
using Virtigo.Appliances;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo try</c>: the example appliance built, booted and asked for a page.</summary>
internal static class TryVerb
{
    private const string Example = "web.yml";

    // bash itself speaks TCP, so that the machine needs no client for it.
    private const string AskForPage = "exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3";

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Option<string> accelerator = Accelerators.Option();
        var verb = new Verb("try", "See it work: build the example appliance, boot a throw-away copy, ask its web server for a page",
            "virtigo try")
        {
            accelerator,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string yaml = await ReadExampleAsync(cancellationToken);
            run.People($"{Example}:\n{yaml}");
            ApplianceSpec spec = ApplianceSpec.Parse(yaml, Example);
            AppliancePlan plan = await BuildVerb.Builder(run).PlanAsync(spec, options.Archives(run), cancellationToken);
            var how = new BuildOptions
            {
                Offline = run.Value(options.Offline),
                AllowExpired = run.Value(options.AllowExpired),
                Accelerator = Accelerators.Of(run.Value(accelerator)),
                SpecText = spec.RedactedText,
                RerunCommand = "virtigo try",
            };
            BuildResult built = await BuildVerb.BuildAsync(run, plan, how, cancellationToken);
            BuildVerb.Tell(run, built);
            return await ShowAsync(run, built, how, cancellationToken);
        });
        return verb;
    }

    private static async Task<int> ShowAsync(Invocation run, BuildResult built, BuildOptions how, CancellationToken cancellationToken)
    {
        run.People("Booting a throw-away copy of it ...");
        await using ImageRun machine = await ImageRun.StartAsync(run.Host.Paths, new QemuHypervisor(run.Host.Paths), built.Image,
            new RunOptions { Accelerator = how.Accelerator }, cancellationToken);
        await machine.ExecuteAsync("/usr/bin/systemctl", ["is-system-running", "--wait"], cancellationToken);
        (int code, string answer) = await machine.ExecuteAsync("/bin/bash", ["-c", AskForPage], cancellationToken);
        if (code != 0)
        {
            throw new VirtigoException(FailureKind.Guest, "The machine is up, but its web server does not answer.", "Look yourself: virtigo run web");
        }

        run.People($"Its web server answers: {Output.Text.Plain(answer).Trim()}");
        run.People("It works. The copy is thrown away; the image stays:");
        run.People("  virtigo run web --root | virtigo images show web | virtigo images rm web");
        return 0;
    }

    private static async Task<string> ReadExampleAsync(CancellationToken cancellationToken)
    {
        await using Stream example = typeof(TryVerb).Assembly.GetManifestResourceStream(Example)!;
        using var reader = new StreamReader(example);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
