using System.CommandLine;
using Virtigo.Appliances;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo infer</c>: the smallest spec that gives an existing machine.</summary>
internal static class InferVerb
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string?> image = new("image")
        {
            Description = "An image of the store, or a qcow2 file",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> ssh = new("--ssh") { Description = "A running machine, as your ssh knows it", HelpName = "user@host" };
        Option<string?> output = new("--output", "-o") { Description = "The spec to write; its files go into a folder beside it [default: standard output, without files]", HelpName = "file" };
        Option<bool> hashes = new("--password-hashes") { Description = "Take over the hashes of passwords" };
        var verb = new Verb("infer", "Write the smallest spec that gives an existing Debian machine",
            "virtigo infer old.qcow2 -o web.yml           # the machine on a disk; nothing is started",
            "virtigo infer --ssh root@old.example -o web.yml",
            "virtigo infer web                            # an image of the store, to standard output")
        {
            image, ssh, output, hashes,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string? from = run.Value(image), machine = run.Value(ssh), target = run.Value(output);
            if (from is null == machine is null)
            {
                throw new VirtigoException(FailureKind.Usage, "Give either an image or --ssh, and not both.", "virtigo infer old.qcow2, or virtigo infer --ssh user@host");
            }

            var how = new InferOptions { FileName = Path.GetFileName(target) ?? "inferred.yml", PasswordHashes = run.Value(hashes) };
            InferredSpec found = machine is not null
                ? await SshInference.OfHostAsync(machine, how, cancellationToken)
                : await OfImageAsync(run, from!, how, cancellationToken);
            if (target is null)
            {
                run.Data(found.Yaml.TrimEnd('\n'));
                if (found.Files.Count > 0)
                {
                    run.People($"{found.Files.Count} files that the spec names were not written: give -o FILE");
                }

                return 0;
            }

            await WriteAsync(target, found, cancellationToken);
            run.People($"{target}{(found.Files.Count == 0 ? "" : $" and {found.Files.Count} files beside it")}; see what it means: virtigo explain {target}");
            return 0;
        });
        return verb;
    }

    private static async Task<InferredSpec> OfImageAsync(Invocation run, string from, InferOptions how, CancellationToken cancellationToken)
    {
        if (File.Exists(from))
        {
            return await InferredSpec.OfDiskAsync(Path.GetFullPath(from), how, cancellationToken);
        }

        var store = new ImageStore(run.Host.Paths);
        StoredImage image = store.Find(from);
        using ImageLease lease = await store.LeaseAsync(image, cancellationToken);
        if (image.Manifest.FurtherDisks is { Count: > 0 } further)
        {
            run.People($"Only the first disk of {image.Name} is read; its further disks are not: {string.Join(", ", further.Select(disk => disk.Name))}");
        }

        return await InferredSpec.OfDiskAsync(image.DiskPath, how, cancellationToken);
    }

    private static async Task WriteAsync(string target, InferredSpec found, CancellationToken cancellationToken)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(target))!;
        try
        {
            foreach (InferredFile file in found.Files)
            {
                await CreateAsync(Path.Combine(folder, file.Path), file.Content, cancellationToken);
            }

            await CreateAsync(target, System.Text.Encoding.UTF8.GetBytes(found.Yaml), cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The spec cannot be written: {error.Message}", "Give a place that is writable and where nothing of that name is.", error);
        }
    }

    /// <summary>A file that is there is not replaced: it may be somebody's work, or a link to somewhere.</summary>
    private static async Task CreateAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Private });
        await file.WriteAsync(content, cancellationToken);
    }
}
