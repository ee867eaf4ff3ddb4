using System.Runtime.InteropServices;
using System.Text.Json;
using Virtigo.Cli.Output;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo version</c>.</summary>
internal static class VersionVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        var verb = new Verb("version", "Print the version", "virtigo version --json   # with the runtime it was built on");
        verb.Does(options, host, (run, _) =>
        {
            run.Data(run.Mode.Json
                ? JsonSerializer.Serialize(new VersionReport(CommandLine.Version, RuntimeInformation.FrameworkDescription), CliJson.Indented.VersionReport)
                : CommandLine.Version);
            return Task.FromResult(0);
        });
        return verb;
    }
}
