using System.CommandLine;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images sbom</c> and <c>provenance</c>: what a manifest says, in the forms that other tools read.</summary>
internal static class ImageStatementVerbs
{
    public static Verb Sbom(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string> format = new("--format") { Description = "spdx (2.3) or cyclonedx (1.5)", DefaultValueFactory = _ => "spdx" };
        format.AcceptOnlyFromAmong("spdx", "cyclonedx");
        var verb = new Verb("sbom", "Print the software bill of materials, as JSON",
            "virtigo images sbom web > web.spdx.json",
            "virtigo images sbom web --format cyclonedx > web.cdx.json")
        {
            which, format,
        };
        verb.Does(options, host, (run, _) =>
            Print(run, run.Value(which)!, run.Value(format) == "spdx" ? StatementFormat.Spdx : StatementFormat.CycloneDx));
        return verb;
    }

    public static Verb Provenance(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        var verb = new Verb("provenance", "Print how the image was made: an in-toto statement with SLSA provenance",
            "virtigo images provenance web > web.intoto.json")
        {
            which,
        };
        verb.Does(options, host, (run, _) => Print(run, run.Value(which)!, StatementFormat.Provenance));
        return verb;
    }

    private static Task<int> Print(Invocation run, string which, StatementFormat format)
    {
        run.Host.Data.Write(ImageStatements.Write(new ImageStore(run.Host.Paths).Find(which).Manifest, format));
        return Task.FromResult(0);
    }
}
