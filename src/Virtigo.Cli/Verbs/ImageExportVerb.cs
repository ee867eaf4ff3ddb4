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
        Option<string> format = new("--format") { Description = "qcow2 or raw", DefaultValueFactory = _ => "qcow2" };
        format.AcceptOnlyFromAmong("qcow2", "raw");
        Option<bool> compress = new("--compress") { Description = "Make the qcow2 file smaller, and slower to read" };
        Option<bool> force = new("--force") { Description = "Replace the file if there is one" };
        var verb = new Verb("export", "Write an image's disk to a file",
            "virtigo images export web web.qcow2 --compress",
            "virtigo images export web /mnt/web.raw --format raw")
        {
            which, file, format, compress, force,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            StoredImage image = store.Find(run.Value(which)!);
            string path = Path.GetFullPath(run.Value(file)!);
            var export = new ExportOptions
            {
                Format = run.Value(format) == "raw" ? DiskFormat.Raw : DiskFormat.Qcow2,
                Compress = run.Value(compress),
                Force = run.Value(force),
            };
            await store.ExportAsync(image, path, export, progress: null, cancellationToken);
            Write(run, image, path, run.Value(format)!);
            return 0;
        });
        return verb;
    }

    private static void Write(Invocation run, StoredImage image, string path, string format)
    {
        long bytes = new FileInfo(path).Length;
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new ExportReport(image.Name, image.Key, path, format, bytes), CliJson.Indented.ExportReport));
        }
        else
        {
            run.People($"{image.Name} {ImagesVerb.Short(image.Key)} is now {path} ({format}, {Words.Size(bytes)})");
        }
    }
}
