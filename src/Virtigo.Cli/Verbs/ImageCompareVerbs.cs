using System.CommandLine;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images verify</c> and <c>diff</c>.</summary>
internal static class ImageCompareVerbs
{
    /// <summary>As diff(1) answers.</summary>
    private const int Different = 1;

    private static readonly string[] s_aspects = [.. Enum.GetNames<ImageAspect>().Select(name => name.ToLowerInvariant())];

    public static Verb Verify(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        var verb = new Verb("verify", "Check an image against its manifest: the disk's SHA-256, and the packages on it",
            "virtigo images verify web")
        {
            which,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            StoredImage image = store.Find(run.Value(which)!);
            ImageCheck check = await store.CheckAsync(image, progress: null, cancellationToken);
            if (run.Mode.Json)
            {
                var report = new VerifyReport(image.Name, image.Key, check.IsIntact, check.Disk.Expected, check.Disk.Actual)
                {
                    Packages = check.Packages?.Select(Line).ToList(),
                    NotRead = check.NotRead,
                };
                run.Data(JsonSerializer.Serialize(report, CliJson.Indented.VerifyReport));
            }
            else
            {
                Tell(run, image, check);
            }

            return check.IsIntact ? 0 : (int)FailureKind.Trust;
        });
        return verb;
    }

    public static Verb Diff(GlobalOptions options, CliHost host)
    {
        Argument<string> before = ImagesVerb.Argument(host);
        Argument<string> after = new("other") { Description = "The image to compare it with, or a description (YAML)", CompletionSources = { before.GetCompletions, _ => Targets.YamlFiles() } };
        Option<string[]> only = new("--only") { Description = "Compare only this; may be given again", HelpName = "aspect" };
        only.AcceptOnlyFromAmong(s_aspects);
        var verb = new Verb("diff", "Compare two images, or an image with a description: 0 when they are the same, 1 when they differ, 2 or more when that cannot be told",
            "virtigo images diff web 3f9c",
            "virtigo images diff web 3f9c --only packages --only plan",
            "virtigo images diff web web.yml                # would a build of it give something else?",
            "virtigo images diff web 3f9c --json | jq -r '.differences[].name'")
        {
            before, after, only,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            StoredImage one = store.Find(run.Value(before)!);
            ImageAspect[] aspects = [.. (run.Value(only) ?? []).Select(name => Enum.Parse<ImageAspect>(name, ignoreCase: true))];
            (string other, ImageComparison compared) = System.IO.File.Exists(run.Value(after)!)
                ? await WithSpecAsync(run, one, run.Value(after)!, aspects, cancellationToken)
                : await WithImageAsync(store, one, store.Find(run.Value(after)!), aspects, cancellationToken);
            if (run.Mode.Json)
            {
                var report = new DiffReport(one.Key, other, compared.IsSame, [.. compared.Differences.Select(Line)], compared.NotCompared);
                run.Data(JsonSerializer.Serialize(report, CliJson.Indented.DiffReport));
            }
            else
            {
                Tell(run, compared);
            }

            return compared switch
            {
                { IsSame: false } => Different,
                { NotCompared.Count: > 0 } => (int)FailureKind.Usage,
                _ => 0,
            };
        });
        return verb;
    }

    private static async Task<(string, ImageComparison)> WithImageAsync(
        ImageStore store, StoredImage one, StoredImage two, ImageAspect[] aspects, CancellationToken cancellationToken) =>
        (two.Key, await store.CompareAsync(one, two, aspects, cancellationToken));

    /// <summary>Of a description only its plan and its packages are known before it is built.</summary>
    private static async Task<(string, ImageComparison)> WithSpecAsync(
        Invocation run, StoredImage image, string file, ImageAspect[] aspects, CancellationToken cancellationToken)
    {
        if (aspects.FirstOrDefault(aspect => aspect is not (ImageAspect.Plan or ImageAspect.Packages)) is var unknown and not ImageAspect.Plan)
        {
            throw new VirtigoException(FailureKind.Usage, $"The {unknown.ToString().ToLowerInvariant()} of {file} are known once it is built.",
                "Compare plan and packages, or build it and compare the images.");
        }

        AppliancePlan plan = await Targets.PlanAsync(run, await ApplianceSpec.LoadAsync(file, new SpecOptions(), cancellationToken), cancellationToken);
        ImageComparison all = ApplianceBuilder.Compare(image, plan);
        return (file, all with { Differences = [.. all.Differences.Where(found => aspects.Length == 0 || aspects.Contains(found.Aspect))] });
    }

    private static void Tell(Invocation run, StoredImage image, ImageCheck check)
    {
        string name = $"{image.Name} {ImagesVerb.Short(image.Key)}";
        run.People(check.Disk.IsIntact ? $"{name}: the disk is what was sealed" : $"{name}: the disk {(check.Disk.Disk == ImageManifest.FirstDiskName ? "" : check.Disk.Disk + " ")}was changed; its SHA-256 is {check.Disk.Actual}");
        foreach (ImageDifference found in check.Packages ?? [])
        {
            run.Data(Shown(found));
        }

        run.People(check.Packages is null ? $"the packages were not compared: {Text.Plain(check.NotRead!)}"
            : check.Packages.Count == 0 ? "its packages are those of the manifest"
            : $"{check.Packages.Count} packages are not those of the manifest");
        if (!check.IsIntact)
        {
            run.People($"hint: remove it and build it again: virtigo images rm {ImagesVerb.Short(image.Key)}");
        }
    }

    private static void Tell(Invocation run, ImageComparison compared)
    {
        foreach (IGrouping<ImageAspect, ImageDifference> group in compared.Differences.GroupBy(found => found.Aspect))
        {
            run.Data($"{s_aspects[(int)group.Key]}:");
            foreach (ImageDifference found in group)
            {
                run.Data(Shown(found));
            }
        }

        foreach (string note in compared.NotCompared)
        {
            run.People(Text.Plain(note));
        }
    }

    private static string Shown(ImageDifference found) => Text.Plain(found switch
    {
        { Before: null } => $"+ {found.Name}  {found.After}",
        { After: null } => $"- {found.Name}  {found.Before}",
        _ => $"~ {found.Name}  {found.Before} => {found.After}",
    });

    private static DifferenceLine Line(ImageDifference found) => new(s_aspects[(int)found.Aspect], found.Name, found.Before, found.After);
}
