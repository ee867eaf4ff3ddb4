using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo images define</c>: how to run an exported image elsewhere.</summary>
internal static class ImageDefineVerb
{
    private static readonly (string Name, DefinitionKind Kind)[] s_kinds =
    [
        ("qemu", DefinitionKind.Qemu), ("libvirt", DefinitionKind.Libvirt), ("xen", DefinitionKind.Xen), ("proxmox", DefinitionKind.Proxmox),
        ("cloud-init", DefinitionKind.CloudInit),
    ];

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string> kind = new("--for") { Description = "What to write it for", Required = true, HelpName = "hypervisor" };
        kind.AcceptOnlyFromAmong([.. s_kinds.Select(one => one.Name)]);
        Option<string?> disk = new("--disk") { Description = "The exported disk; without it, IMAGE.qcow2 in this folder", HelpName = "file" };
        Option<string?> output = new("--output", "-o") { Description = "The file to write, for cloud-init a folder; without it, standard output", HelpName = "file" };
        Option<string[]> keys = new("--ssh-key") { Description = "A file with public keys that may log in (cloud-init)", HelpName = "file" };
        Option<bool> force = new("--force") { Description = "Replace files" };
        var verb = new Verb("define", "Write a launch script or a definition for an exported image",
            "virtigo images define web --for qemu -o web.sh",
            "virtigo images define web --for libvirt --disk /srv/web.qcow2 > web.xml    # then: virsh define web.xml",
            "virtigo images define web --for xen --disk /srv/web.raw -o web.cfg",
            "virtigo images define web --for proxmox -o web.sh",
            "virtigo images define web --for cloud-init --ssh-key me.pub -o seed")
        {
            which, kind, disk, output, keys, force,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            StoredImage image = new ImageStore(run.Host.Paths).Find(run.Value(which)!);
            string path = Path.GetFullPath(run.Value(disk) ?? image.Name + ".qcow2");
            IReadOnlyList<DefinitionFile> files = MachineDefinitions.Write(image.Manifest, s_kinds.First(one => one.Name == run.Value(kind)).Kind,
                new DefinitionOptions
                {
                    DiskPath = path,
                    Format = DiskFormats.ForFile(path) ?? DiskFormat.Qcow2,
                    SshKeys = [.. (run.Value(keys) ?? []).SelectMany(ReadKeys)],
                });
            if (run.Value(output) is { } target)
            {
                await WriteAsync(run, files, target, run.Value(force), cancellationToken);
            }
            else
            {
                Print(run, files);
            }

            return 0;
        });
        return verb;
    }

    private static void Print(Invocation run, IReadOnlyList<DefinitionFile> files)
    {
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new DefinitionReport([.. files.Select(file => new DefinitionLine(file.Name, null, file.Content))]),
                CliJson.Indented.DefinitionReport));
        }
        else if (files is [var only])
        {
            run.Host.Data.Write(only.Content);
        }
        else
        {
            throw new VirtigoException(FailureKind.Usage, "A seed is several files, so it needs a folder.", "Add: -o seed");
        }
    }

    private static async Task WriteAsync(
        Invocation run, IReadOnlyList<DefinitionFile> files, string target, bool force, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> written = await DefinitionFolder.WriteAsync(files, target, force, cancellationToken);
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new DefinitionReport([.. written.Select(file => new DefinitionLine(Path.GetFileName(file), file, null))]),
                CliJson.Indented.DefinitionReport));
            return;
        }

        foreach (string file in written)
        {
            run.People($"wrote {file}");
        }

        if (files.Count > 1 && written.Count == files.Count)
        {
            run.People("no seed.iso: neither genisoimage, mkisofs nor xorrisofs is installed; put the files on a volume called cidata by other means");
        }
    }

    private static IEnumerable<string> ReadKeys(string path)
    {
        try
        {
            return File.ReadAllLines(path).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"The file {path} cannot be read: {error.Message}", "Give a file such as ~/.ssh/id_ed25519.pub.", error);
        }
    }
}
