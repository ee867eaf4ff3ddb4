using System.CommandLine;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Testing;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo try</c>: the example appliance built, and two machines of it tested.</summary>
internal static class TryVerb
{
    private const string Appliance = "web.yml";
    private const string Tests = "shop.yml";

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Option<string> accelerator = Accelerators.Option();
        var verb = new Verb("try", "See it work: build the example appliance, boot two machines of it, and run three tests in copies of them",
            "virtigo try")
        {
            accelerator,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string folder = Path.Combine(host.Paths.State, "try");
            foreach (string name in (string[])[Appliance, Tests])
            {
                string text = await ReadExampleAsync(name, cancellationToken);
                run.People($"{name}:\n{text}");
                Directory.CreateDirectory(folder);
                await File.WriteAllTextAsync(Path.Combine(folder, name), text, cancellationToken);
            }

            TestFile file = await TestFile.LoadAsync(Path.Combine(folder, Tests), cancellationToken);
            using EnvironmentSnapshot ready = await TestVerb.PrepareAsync(run, file, TestVerb.Environment(run, accelerator, "virtigo try"), [], hypervisor: null, cancellationToken);
            TestReport report;
            await using (ITestDisplay display = ITestDisplay.For(run.Host, run.Mode))
            {
                report = await file.RunAsync(ready, new TestOptions(), display, cancellationToken);
            }

            int code = TestSummary.Write(run, report, flakyFails: false);
            if (code == 0)
            {
                run.People("It works. The machines are gone; the image and the booted environment stay, so the next run takes seconds:");
                run.People($"  cd {folder}");
                run.People($"  virtigo test {Tests}");
                run.People($"  virtigo up {Tests} && virtigo shell server    # the same machines, by hand");
                run.People("  virtigo run web --root                      # one machine, alone");
            }

            return code;
        });
        return verb;
    }

    private static async Task<string> ReadExampleAsync(string name, CancellationToken cancellationToken)
    {
        await using Stream example = typeof(TryVerb).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(example);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
