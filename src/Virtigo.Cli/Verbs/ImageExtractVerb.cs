using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images extract</c>: an image's kernel and initial file system, for booting it directly.</summary>
internal static class ImageExtractVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string?> kernel = new("--kernel") { Description = "The file for the kernel; without it, IMAGE.vmlinuz in this folder", HelpName = "file" };
        Option<string?> initrd = new("--initrd") { Description = "The file for the initial file system; without it, IMAGE.initrd in this folder", HelpName = "file" };
        Option<bool> force = new("--force") { Description = "Replace files" };
        var verb = new Verb("extract", "Take the kernel and the initial file system out of an image; nothing is mounted or started",
            "virtigo images extract web",
            "virtigo images extract web --kernel /srv/vmlinuz --initrd /srv/initrd.img --json | jq -r .commandLine")
        {
            which, kernel, initrd, force,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var store = new ImageStore(run.Host.Paths);
            StoredImage image = store.Find(run.Value(which)!);
            ExtractedBoot boot = await store.ExtractBootAsync(image, run.Value(kernel) ?? image.Name + ".vmlinuz", run.Value(initrd) ?? image.Name + ".initrd",
                run.Value(force), cancellationToken);
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(boot, CliJson.Indented.ExtractedBoot));
                return 0;
            }

            run.People($"wrote {boot.KernelPath} ({Text.Plain(boot.KernelSource)}, {Words.Size(new FileInfo(boot.KernelPath).Length)})");
            if (boot.InitrdPath is { } file)
            {
                run.People($"wrote {file} ({Text.Plain(boot.InitrdSource!)}, {Words.Size(new FileInfo(file).Length)})");
            }

            run.People(boot.CommandLine is { } told ? $"its boot loader tells the kernel: {told}" : "what its boot loader tells the kernel was not found");
            return 0;
        });
        return verb;
    }
}
