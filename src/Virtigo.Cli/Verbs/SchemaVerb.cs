using System.CommandLine;
using Virtigo.Appliances;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo schema</c>: the keys of a description, for editors and for people.</summary>
internal static class SchemaVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Option<bool> markdown = new("--markdown") { Description = "Print the reference as a Markdown table instead" };
        var verb = new Verb("schema", "Print the JSON schema of a description",
            "virtigo schema > virtigo-schema.json   # then, first line of web.yml:",
            "                                       # yaml-language-server: $schema=virtigo-schema.json",
            "virtigo schema --markdown              # every key with its values and default")
        {
            markdown,
        };
        verb.Does(options, host, (run, _) =>
        {
            run.Host.Data.Write(run.Value(markdown) ? SpecReference.Markdown() : SpecReference.JsonSchema());
            return Task.FromResult(0);
        });
        return verb;
    }
}
