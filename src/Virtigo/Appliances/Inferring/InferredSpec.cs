using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>A file to stand beside an inferred spec.</summary>
/// <param name="Path">Its path below the spec's folder.</param>
/// <param name="Content">Its content.</param>
public sealed record InferredFile(string Path, ReadOnlyMemory<byte> Content);

/// <summary>What to describe a machine by.</summary>
public sealed record InferOptions
{
    /// <summary>The name of the spec's file, without a folder; also names the folder of its files.</summary>
    public required string FileName { get; init; }

    /// <summary>Whether the hashes of passwords stand in the spec.</summary>
    public bool PasswordHashes { get; init; }

    /// <summary>The size of the machine's disk in bytes; null when it is not known.</summary>
    public long? DiskBytes { get; init; }
}

/// <summary>The smallest spec that gives an existing Debian machine, and the files it takes.</summary>
/// <param name="Yaml">The spec.</param>
/// <param name="Files">The files that stand beside it.</param>
public sealed record InferredSpec(string Yaml, IReadOnlyList<InferredFile> Files)
{
    /// <summary>Describes the machine on a disk.</summary>
    /// <param name="path">The disk: a qcow2 file that does not change.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">The disk cannot be read, or has no Debian on it.</exception>
    public static Task<InferredSpec> OfDiskAsync(string path, InferOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Task.Run(
            () =>
            {
                using var files = ImageFiles.Open(path);
                files.RequireRoot();
                return new SpecInference(new ImageTree(files), options with { DiskBytes = options.DiskBytes ?? Qcow2Header.Read(path).VirtualBytes }).Infer();
            },
            cancellationToken);
    }

    /// <summary>Describes the machine whose files are in an archive.</summary>
    /// <param name="archive">A tar archive of the machine's settings, dpkg's and apt's lists and the ssh keys of its users; paths are relative to the root.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">The archive is malformed, or not of a Debian machine (<see cref="FailureKind.Usage"/>).</exception>
    public static async Task<InferredSpec> OfArchiveAsync(Stream archive, InferOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        ArgumentNullException.ThrowIfNull(options);
        try
        {
            return new SpecInference(await TarTree.ReadAsync(archive, cancellationToken), options).Infer();
        }
        catch (InvalidDataException malformed)
        {
            throw new VirtigoException(FailureKind.Usage, $"What the machine sent is no archive of its files: {malformed.Message}.",
                "Its login must print nothing of its own; try: ssh HOST true", malformed);
        }
    }
}
