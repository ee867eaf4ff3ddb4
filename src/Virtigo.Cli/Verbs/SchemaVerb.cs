using System.CommandLine;
using Virtigo.Appliances;
using Virtigo.Testing;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo schema</c>: the keys of a description, for editors and for people.</summary>
internal static class SchemaVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> what = new("what")
        {
            Description = "What is described: appliance, or environment or test (they stand in one file)",
            DefaultValueFactory = _ => "appliance",
        };
        what.AcceptOnlyFromAmong("appliance", "environment", "test");
        Option<bool> markdown = new("--markdown") { Description = "Print the reference as Markdown instead" };
        var verb = new Verb("schema", "Print the JSON schema of a description",
            "virtigo schema > virtigo-schema.json   # then, first line of web.yml:",
            "                                       # yaml-language-server: $schema=virtigo-schema.json",
            "virtigo schema --markdown              # every key with its values and default",
            "virtigo schema test --markdown         # every key and step of a file with machines and tests")
        {
            what, markdown,
        };
        verb.Does(options, host, (run, _) =>
        {
            run.Host.Data.Write((run.Value(what), run.Value(markdown)) switch
            {
                ("appliance", true) => SpecReference.Markdown(),
                ("appliance", false) => SpecReference.JsonSchema(),
                (_, true) => TestReference.Markdown(),
                _ => TestReference.JsonSchema(),
            });
            return Task.FromResult(0);
        });
        return verb;
    }
}
