using System.CommandLine;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Hypervisors;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images prove</c>: boots an image under hypervisors, and records it.</summary>
internal static class ImageProveVerb
{
    private const string Proven = "proven";
    private const string Failed = "failed";
    private const string Skipped = "skipped";

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string?> hypervisor = HypervisorOptions.Option("What runs it [default: auto]");
        Option<bool> matrix = HypervisorOptions.Matrix("Under every hypervisor that can be used here");
        var verb = new Verb("prove", "Boot a copy of an image until its agent says that all is well, and record that in its manifest",
            "virtigo images prove web                       # on the fastest hypervisor that can",
            "virtigo images prove web --hypervisor uml",
            "virtigo images prove web --matrix              # on every one that can be used here; exit code 8 when it does not boot on one",
            "virtigo images prove web --matrix --json | jq '.proofs[] | select(.verdict == \"failed\")'")
        {
            which, hypervisor, matrix,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            StoredImage image = new ImageStore(host.Paths, host.Clock).Find(run.Value(which)!);
            if (run.Value(matrix))
            {
                HypervisorOptions.ExpectNone(run.Value(hypervisor));
                return await ProveAllAsync(run, image, again: true, cancellationToken);
            }

            using var kernel = new ImageKernel(host.Paths, image);
            var needs = new HypervisorNeeds($"The proof of {image.Name}", ImageBoot.Needs) { Wished = ["disk boot"], Kernel = kernel.CopyOutAsync };
            IHypervisor chosen = await HypervisorOptions.ChooseAsync(run, run.Value(hypervisor) ?? HypervisorChoice.Auto, needs, cancellationToken);
            ProofLine line = await ProveAsync(run, image, chosen, cancellationToken);
            Write(run, image, [line]);
            return 0;
        });
        return verb;
    }

    /// <summary>Proves an image on every hypervisor that can be used here.</summary>
    /// <param name="run">The run.</param>
    /// <param name="image">The image.</param>
    /// <param name="again">Whether it is booted also where it was proven before.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> ProveAllAsync(Invocation run, StoredImage image, bool again, CancellationToken cancellationToken)
    {
        var lines = new List<ProofLine>();
        foreach (IHypervisor hypervisor in HypervisorCatalog.All(run.Host.Paths))
        {
            lines.Add(!again && image.Manifest.Proofs.FirstOrDefault(proof => proof.Hypervisor.Name == hypervisor.Name) is { } proven ? Line(proven)
                : await TryAsync(run, image, hypervisor, cancellationToken));
        }

        Write(run, image, lines);
        return lines.Any(line => line.Verdict == Failed) ? (int)FailureKind.BootTest : 0;
    }

    private static async Task<ProofLine> TryAsync(Invocation run, StoredImage image, IHypervisor hypervisor, CancellationToken cancellationToken)
    {
        if (await hypervisor.LookAsync(cancellationToken) is { IsUsable: false } presence)
        {
            return new ProofLine(hypervisor.Name, Skipped, null, null, $"not usable here: {presence.Reason}", null);
        }

        try
        {
            return await ProveAsync(run, image, hypervisor, cancellationToken);
        }
        catch (VirtigoException failure) when (failure.Kind == FailureKind.Usage)
        {
            return new ProofLine(hypervisor.Name, Skipped, null, null, failure.Message, null);
        }
        catch (VirtigoException failure)
        {
            return new ProofLine(hypervisor.Name, Failed, null, null, failure.Message, failure.ReportDirectory);
        }
    }

    private static async Task<ProofLine> ProveAsync(Invocation run, StoredImage image, IHypervisor hypervisor, CancellationToken cancellationToken)
    {
        run.People($"{image.Name} boots in {hypervisor.Name} …");
        string? passphrase = ImageRun.IsEncrypted(image) ? Environment.GetEnvironmentVariable(RunVerb.PassphraseVariable) : null;
        ImageProof proof = await new ImageProver(run.Host.Paths, run.Host.Clock).ProveAsync(image, hypervisor, passphrase, run.People, cancellationToken);
        return Line(proof);
    }

    private static ProofLine Line(ImageProof proof) => new(proof.Hypervisor.Name, Proven, proof.Hypervisor.Accelerator, proof.SecondsToMultiUser, null, null);

    private static void Write(Invocation run, StoredImage image, IReadOnlyList<ProofLine> lines)
    {
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new ProofReport(image.Name, image.Key, lines), CliJson.Indented.ProofReport));
            return;
        }

        Table.Write(run.Host.Data,
        [
            ["HYPERVISOR", "PROVEN", ""],
            .. lines.Select(line => (IReadOnlyList<string>)
            [
                line.Hypervisor,
                line.Verdict == Proven ? "yes" : "no",
                line.Seconds is { } seconds ? $"up after {Words.Time(TimeSpan.FromSeconds(seconds))} ({line.Accelerator})"
                    : line.Reason + (line.Report is null ? "" : $" Report: {line.Report}"),
            ]),
        ]);
    }
}
