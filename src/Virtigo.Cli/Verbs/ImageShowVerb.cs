using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images show</c>: everything known about an image.</summary>
internal static class ImageShowVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<bool> packages = new("--packages") { Description = "List every package installed, with its version" };
        Option<bool> materials = new("--materials") { Description = "List every file that was fetched for it, with its SHA-256" };
        var verb = new Verb("show", "Show everything known about an image",
            "virtigo images show web",
            "virtigo images show web --packages | grep openssl",
            "virtigo images show web --json              # the whole manifest")
        {
            which, packages, materials,
        };
        verb.Does(options, host, (run, _) =>
        {
            StoredImage image = new ImageStore(run.Host.Paths).Find(run.Value(which)!);
            Write(run, image, run.Value(packages), run.Value(materials));
            return Task.FromResult(0);
        });
        return verb;
    }

    private static void Write(Invocation run, StoredImage image, bool packages, bool materials)
    {
        ImageManifest manifest = image.Manifest;
        TextWriter data = run.Host.Data;
        if (run.Mode.Json)
        {
            data.WriteLine(JsonSerializer.Serialize(manifest, CliJson.Indented.ImageManifest));
        }
        else if (packages)
        {
            Table.Write(data, [.. manifest.Packages.Select(one => (IReadOnlyList<string>)[one.Name, one.Version, one.Architecture])]);
        }
        else if (materials)
        {
            Table.Write(data, [.. manifest.Materials.Select(one => (IReadOnlyList<string>)[one.Sha256, one.Verified, one.Url])]);
        }
        else
        {
            Table.Write(data, Facts(image, manifest));
            data.WriteLine();
            Table.Write(data, [.. manifest.Plan.Select(value => (IReadOnlyList<string>)[value.Key, value.Value, value.Origin])]);
        }
    }

    private static IReadOnlyList<IReadOnlyList<string>> Facts(StoredImage image, ImageManifest manifest) =>
    [
        ["image", image.Name],
        ["key", image.Key],
        ["file", image.DiskPath],
        ["size", $"{Words.Size(ImageStore.AllocatedBytes(image))} of {Words.Size(manifest.Disk.VirtualBytes)}"],
        .. manifest.FurtherDisks.Zip(image.FurtherDiskPaths).Select(disk => (IReadOnlyList<string>)["disk " + disk.First.Name, $"{disk.Second}, {Words.Size(disk.First.Disk.VirtualBytes)}"]),
        ["created", manifest.Created.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)],
        ["made by", $"Virtigo {manifest.ToolVersion}, installer {manifest.Installer.Version}"],
        ["ran on", $"{manifest.Hypervisor.Name} {manifest.Hypervisor.Version}, {manifest.Hypervisor.Accelerator}"],
        ["took", Words.Time(TimeSpan.FromSeconds(manifest.Timings.Sum(timing => timing.Seconds)))],
        .. manifest.Proofs.Select(proof => (IReadOnlyList<string>)
            ["proven on", $"{proof.Hypervisor.Name} ({proof.Hypervisor.Accelerator}), up after {Words.Time(TimeSpan.FromSeconds(proof.SecondsToMultiUser))}"]),
        .. manifest.Profile.Guests.Count == 0 ? [] : (IEnumerable<IReadOnlyList<string>>)
        [
            ["profile", $"for guests of {string.Join(", ", manifest.Profile.Guests)}"],
            .. manifest.Profile.Settings.Select(setting => (IReadOnlyList<string>)["profile", Text.Plain($"{setting.Name}: {setting.Outcome}: {setting.Text}")]),
        ],
        ["boots in", Words.Time(TimeSpan.FromSeconds(manifest.BootTest.SecondsToMultiUser))],
        ["packages", manifest.Packages.Count.ToString(CultureInfo.InvariantCulture)],
        ["materials", manifest.Materials.Count.ToString(CultureInfo.InvariantCulture)],
        .. manifest.Archives.Select(archive => (IReadOnlyList<string>)["archive", $"{archive.Uri} {archive.Suite}, Release {archive.ReleaseSha256[..12]}"]),
    ];
}
