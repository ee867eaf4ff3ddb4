using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo explain</c>: every value of a plan and where it came from.</summary>
internal static class ExplainVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> target = Targets.Argument();
        Option<string?> name = Targets.NameOption();
        Option<string?> medium = Targets.MediumOption();
        Option<string?> keyring = Targets.KeyringOption();
        Option<string[]> set = Targets.SetOption();
        var verb = new Verb("explain", "Show every value of the plan and where it came from",
            "virtigo explain web.yml                 # what would be built, and why",
            "virtigo explain debian                  # what is decided when nothing is said",
            "virtigo explain web.yml --json | jq .   # the same for a program")
        {
            target, name, set, medium, keyring,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            ApplianceSpec spec = await ApplianceSpec.OpenAsync(run.Value(target)!, Targets.Read(run, name, set), cancellationToken);
            spec.Use(run.Value(medium), run.Value(keyring));
            AppliancePlan plan = await Targets.PlanAsync(run, spec, cancellationToken);
            Write(run, plan);
            return 0;
        });
        return verb;
    }

    public static void Write(Invocation run, AppliancePlan plan)
    {
        IReadOnlyList<ExplainedSetting> values = plan.Explain();
        SavedInstaller? saved = BuildVerb.Builder(run).SavedInstall(plan);
        if (run.Mode.Json)
        {
            var report = new ExplainReport(plan.Name.Value, plan.Fingerprint,
                [.. values.Select(value => new ExplainLine(value.Key, value.Shown, value.Origin.Text, value.Origin.Kind.ToString()))], saved?.Created, saved?.After);
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.ExplainReport));
            return;
        }

        Table.Write(run.Host.Data, [.. values.Select(value => (IReadOnlyList<string>)[value.Key, value.Shown, value.Origin.ToString()])]);
        run.Data($"\nfingerprint {plan.Fingerprint}");
        if (!ApplianceBuilder.SavesInstaller(plan))
        {
            run.Data("saved installer none: this distribution's runs from its beginning each time");
            return;
        }

        run.Data("saved installer " + saved switch
        {
            null => "none yet of this way; the next build saves one",
            { After: null } => string.Create(CultureInfo.InvariantCulture, $"of {saved.Created:yyyy-MM-dd HH:mm} UTC, gone on from while the archive has nothing newer"),
            _ => string.Create(CultureInfo.InvariantCulture, $"of {saved.Created:yyyy-MM-dd HH:mm} UTC, with {saved.After} installed: what builds on it is a layer, while the archive has nothing newer"),
        });
        run.Data($"  shared by plans with the same {string.Join(", ", ApplianceBuilder.SharedSettings)}");
    }
}
