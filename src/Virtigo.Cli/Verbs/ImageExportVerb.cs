using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images export</c>: an image as a file of the user's.</summary>
internal static class ImageExportVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Argument<string> file = new("file") { Description = "The file to write" };
        Option<string?> format = new("--format")
        {
            Description = "The format; else what the file's ending means, else qcow2",
        };
        format.AcceptOnlyFromAmong([.. DiskFormats.Names]);
        Option<bool> compress = new("--compress") { Description = "Make the qcow2 file smaller, and slower to read" };
        Option<string?> size = new("--disk-size") { Description = "The size of the exported disk, such as 40GiB [default: the image's]", HelpName = "size" };
        Option<string?> disk = new("--disk") { Description = "Which disk of an image that has several; system is the first", HelpName = "name" };
        Option<bool> force = new("--force") { Description = "Replace the file if there is one" };
        Option<bool> sums = new("--sums") { Description = "Note the file's SHA-256 in SHA256SUMS beside it" };
        Option<string?> sign = new("--sign")
        {
            Description = "Also sign SHA256SUMS with this command of yours; its name is added as the last argument",
            HelpName = "command",
        };
        var verb = new Verb("export", "Write an image's disk to a file",
            "virtigo images export web web.qcow2 --compress",
            "virtigo images export web web.ova                     # for VirtualBox, VMware and others: a whole machine",
            "virtigo images export web web.raw.zst                 # or .raw.xz: compressed",
            "virtigo images export web /mnt/web.img --format raw",
            "virtigo images export web web.qcow2 --disk-size 40GiB # for an appliance with disk: {grow: true}",
            "virtigo images export web web-data.qcow2 --disk data  # of several disks, the one named data",
            "virtigo images export web web.qcow2 --sign \"gpg --detach-sign --armor\"")
        {
            which, file, format, compress, size, disk, force, sums, sign,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            StoredImage image = store.Find(run.Value(which)!);
            string path = Path.GetFullPath(run.Value(file)!);
            var export = new ExportOptions
            {
                Format = (run.Value(format) is { } name ? DiskFormats.Named(name) : DiskFormats.ForFile(path)) ?? DiskFormat.Qcow2,
                Compress = run.Value(compress),
                DiskBytes = run.Value(size) is { } bytes ? Appliances.BuildOptions.ReadSize(bytes, "--disk-size 40GiB") : null,
                Disk = run.Value(disk),
                Force = run.Value(force),
                Sums = run.Value(sums),
                SignCommand = run.Value(sign),
            };
            ImageExport made = await store.ExportAsync(image, path, export, progress: null, cancellationToken);
            Write(run, image, made, DiskFormats.NameOf(export.Format));
            return 0;
        });
        return verb;
    }

    private static void Write(Invocation run, StoredImage image, ImageExport made, string format)
    {
        if (run.Mode.Json)
        {
            var report = new ExportReport(image.Name, image.Key, made.Path, format, made.Bytes) { Sha256 = made.Sha256, Beside = made.Beside };
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.ExportReport));
            return;
        }

        run.People($"{image.Name} {ImagesVerb.Short(image.Key)} is now {made.Path} ({format}, {Words.Size(made.Bytes)})");
        foreach (string beside in made.Beside)
        {
            run.People($"wrote {beside}");
        }
    }
}
