using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images rm</c> and <c>prune</c>.</summary>
internal static class ImageRemovalVerbs
{
    public static Verb Remove(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        var verb = new Verb("rm", "Remove an image", "virtigo images rm web        # the newest of that name",
            "virtigo images rm 3f9c       # the one whose key begins so")
        {
            which,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            string key = store.FindKey(run.Value(which)!);
            await store.RemoveAsync(key, cancellationToken);
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(new PruneReport([key], [], 0, DryRun: false), CliJson.Indented.PruneReport));
            }
            else
            {
                run.People($"removed {ImagesVerb.Short(key)}");
            }

            return 0;
        });
        return verb;
    }

    public static Verb Prune(GlobalOptions options, CliHost host)
    {
        Option<int?> keep = new("--keep") { Description = "How many of each name to keep, the newest", HelpName = "count" };
        Option<int?> days = new("--older-than") { Description = "Only images of at least this age, in days", HelpName = "days" };
        Option<bool> dryRun = new("--dry-run") { Description = "Only say what would be removed" };
        var verb = new Verb("prune", "Remove old images; what is in use stays",
            "virtigo images prune --keep 1",
            "virtigo images prune --older-than 30 --dry-run")
        {
            keep, days, dryRun,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            bool dry = run.Value(dryRun);
            var rules = new PruneRules
            {
                KeepNewest = run.Value(keep),
                OlderThan = run.Value(days) is { } age ? TimeSpan.FromDays(age) : null,
                DryRun = dry,
            };
            PruneResult result = await new ImageStore(run.Host.Paths).PruneAsync(rules, cancellationToken);
            Write(run, result, dry);
            return 0;
        });
        return verb;
    }

    private static void Write(Invocation run, PruneResult result, bool dry)
    {
        if (run.Mode.Json)
        {
            var report = new PruneReport([.. result.Removed.Select(image => image.Key)], [.. result.InUse.Select(image => image.Key)],
                result.FreedBytes, dry);
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.PruneReport));
            return;
        }

        foreach (StoredImage image in result.Removed)
        {
            run.People($"{(dry ? "would remove" : "removed")} {image.Name} {ImagesVerb.Short(image.Key)}");
        }

        foreach (StoredImage image in result.InUse)
        {
            run.People($"kept {image.Name} {ImagesVerb.Short(image.Key)}: in use");
        }

        run.People($"{(dry ? "would free" : "freed")} {Words.Size(result.FreedBytes)}");
    }
}
