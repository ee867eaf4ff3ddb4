using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images</c>: what is in the store.</summary>
internal static class ImagesVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        var verb = new Verb("images", "List the images in the store, or work on one",
            "virtigo images                                   # list them",
            "virtigo images show web                          # everything known about one",
            "virtigo images prove web --matrix                # does it boot on every hypervisor here?",
            "virtigo images export web web.ova                # a file for another hypervisor",
            "virtigo images prune --keep 1                    # only the newest of each name stays")
        {
            ListVerb(options, host), ImageShowVerb.Make(options, host), ImageProveVerb.Make(options, host), ImageExportVerb.Make(options, host),
            ImageDefineVerb.Make(options, host), ImageExtractVerb.Make(options, host),
            ImageCompareVerbs.Verify(options, host), ImageCompareVerbs.Diff(options, host),
            ImageStatementVerbs.Sbom(options, host), ImageStatementVerbs.Provenance(options, host),
            ImageRemovalVerbs.Remove(options, host), ImageRemovalVerbs.Prune(options, host),
        };
        verb.Does(options, host, (run, _) => List(run));
        return verb;
    }

    /// <summary>The argument that names an image.</summary>
    public static Argument<string> Argument(CliHost host) => new("image")
    {
        Description = "An image's name (the newest is meant), or the first 4 or more digits of its key",
        CompletionSources = { _ => new ImageStore(host.Paths).List().Images.Select(image => image.Name).Distinct() },
    };

    public static string Short(string key) => key[..12];

    private static Verb ListVerb(GlobalOptions options, CliHost host)
    {
        var verb = new Verb("list", "List the images in the store", "virtigo images list --json | jq -r '.images[].name'");
        verb.Does(options, host, (run, _) => List(run));
        return verb;
    }

    private static Task<int> List(Invocation run)
    {
        ImageListing listing = new ImageStore(run.Host.Paths).List();
        if (run.Mode.Json)
        {
            var report = new ImagesReport(
                [.. listing.Images.Select(Line)],
                [.. listing.Broken.Select(broken => new BrokenLine(broken.Key, broken.Directory, broken.Problem))]);
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.ImagesReport));
            return Task.FromResult(0);
        }

        if (listing.Images.Count == 0)
        {
            run.People("The store is empty. Build an image: virtigo build debian");
        }
        else
        {
            Table.Write(run.Host.Data, [["NAME", "KEY", "SIZE", "DISK", "CREATED"], .. listing.Images.Select(Row)]);
        }

        foreach (BrokenImage broken in listing.Broken)
        {
            run.People($"{Short(broken.Key)} cannot be used: {broken.Problem}; remove it with: virtigo images rm {Short(broken.Key)}");
        }

        return Task.FromResult(0);
    }

    private static ImageLine Line(StoredImage image) => new(image.Name, image.Key, image.Manifest.Created,
        ImageStore.AllocatedBytes(image), image.Manifest.Disk.VirtualBytes, image.DiskPath);

    private static IReadOnlyList<string> Row(StoredImage image) =>
    [
        image.Name,
        Short(image.Key),
        Words.Size(ImageStore.AllocatedBytes(image)),
        Words.Size(image.Manifest.Disk.VirtualBytes),
        image.Manifest.Created.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
    ];
}
