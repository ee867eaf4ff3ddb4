using System.Formats.Tar;
using System.Globalization;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>
/// A spec, what it takes from its folder, its lock, and every file of an archive that a build of it needs, in one tar file: what a machine without a network builds from.
/// </summary>
public static class ApplianceBundle
{
    private const string SpecFolder = "spec/";
    private const string PoolFolder = "pool/";
    private const UnixFileMode ProgramMode = (UnixFileMode)0x1ED;
    private const UnixFileMode PlainMode = (UnixFileMode)0x1A4;
    private const int MaxPoolFiles = 100_000;
    private const long MaxBytes = 64L << 30;

    /// <summary>Writes a bundle.</summary>
    /// <param name="specFile">The spec; its lock is beside it.</param>
    /// <param name="plan">Its plan, with the lock.</param>
    /// <param name="paths">Where the cache is.</param>
    /// <param name="target">The file to write; whole, or not at all.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <returns>How many files of archives are in it, and their size in bytes.</returns>
    /// <exception cref="VirtigoException">
    /// There is no lock (<see cref="FailureKind.Usage"/>), or the cache lacks something (<see cref="FailureKind.Archive"/>).
    /// </exception>
    public static async Task<(int Files, long Bytes)> WriteAsync(
        string specFile, AppliancePlan plan, HostPaths paths, string target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(paths);
        if (plan.Lock is not { } locked)
        {
            throw new VirtigoException(FailureKind.Usage, $"{specFile} has no lock, so that nobody knows what it needs.", $"Lock it first: virtigo lock {specFile}");
        }

        if (plan.SpecFiles.FirstOrDefault(taken => taken.Link is not null) is { } link)
        {
            throw new VirtigoException(FailureKind.Usage, $"{link.Path} is a link, which a bundle does not carry.", "Make the link in a run step instead.");
        }

        IReadOnlyList<string> hashes = await NeededAsync(plan, locked.Value, paths, cancellationToken);
        var pool = new Pool(paths.Pool);
        long bytes = hashes.Sum(hash => new FileInfo(pool.PathOf(hash)).Length);
        await AtomicFile.WriteAsync(target, async (file, token) =>
        {
            await using var tar = new TarWriter(file, TarEntryFormat.Pax, leaveOpen: true);
            foreach (string path in (string[])[specFile, ApplianceLock.PathFor(specFile)])
            {
                await WriteAsync(tar, Path.GetFileName(path), await File.ReadAllBytesAsync(path, token), PlainMode, token);
            }

            foreach (SpecFile taken in plan.SpecFiles.DistinctBy(taken => taken.Path))
            {
                await WriteAsync(tar, taken.Path, taken.Content, taken.Executable ? ProgramMode : PlainMode, token);
            }

            foreach (string hash in hashes)
            {
                await tar.WriteEntryAsync(pool.PathOf(hash), PoolFolder + hash, token);
            }
        }, cancellationToken: cancellationToken);
        return (hashes.Count, bytes);
    }

    /// <summary>Takes a bundle in: its files into the cache, each checked against its hash, the spec and its lock into a folder.</summary>
    /// <param name="bundle">The bundle. It may come from a stranger.</param>
    /// <param name="folder">The folder for the spec; made when absent.</param>
    /// <param name="force">Replace files of the same name there.</param>
    /// <param name="paths">Where the cache is.</param>
    /// <param name="cancellationToken">Ends the work; what is in the cache by then stays there.</param>
    /// <returns>The path of the spec.</returns>
    /// <exception cref="VirtigoException">
    /// It is no bundle, or a file is there already (<see cref="FailureKind.Usage"/>); a file has another hash (<see cref="FailureKind.Trust"/>).
    /// </exception>
    public static async Task<string> ReadAsync(string bundle, string folder, bool force, HostPaths paths, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var specs = new Dictionary<string, (byte[] Content, UnixFileMode Mode)>(StringComparer.Ordinal);
        var pool = new Pool(paths.Pool);
        int files = 0;
        long bytes = 0;
        try
        {
            await using FileStream file = File.OpenRead(bundle);
            await using var tar = new TarReader(file);
            while (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
            {
                bytes += entry.Length;
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || ++files > MaxPoolFiles || bytes > MaxBytes)
                {
                    throw NoBundle(bundle, $"its entry {SpecProblems.Quote(entry.Name)} is not what a bundle has");
                }

                await TakeAsync(bundle, entry, pool, specs, cancellationToken);
            }
        }
        catch (Exception error) when (Decompression.IsDamage(error))
        {
            throw NoBundle(bundle, error.Message.TrimEnd('.'));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"The bundle {bundle} cannot be read: {error.Message}", inner: error);
        }

        return await PlaceAsync(bundle, specs, folder, force, cancellationToken);
    }

    /// <summary>Every file that a build without a network reads, found by doing all of it but the install.</summary>
    private static async Task<IReadOnlyList<string>> NeededAsync(AppliancePlan plan, ApplianceLock locked, HostPaths paths, CancellationToken cancellationToken)
    {
        var pool = new Pool(paths.Pool);
        using var client = new ArchiveClient(pool, new ArchiveOptions { Offline = true });
        PlanArchives archives = await ApplianceBuilder.OpenAsync(client, plan, cancellationToken);
        using WorkFolder scratch = WorkFolder.Create(paths, "bundle");
        var empty = new HostPaths(scratch.Path, paths.Data, paths.State, paths.Config, paths.Runtime);
        await ApplianceBuilder.AssembleAsync(client, archives, plan, empty, cancellationToken);
        return [.. pool.Used.Concat(locked.Files.Select(file => file.Sha256)).Distinct().Order(StringComparer.Ordinal)];
    }

    private static Task WriteAsync(TarWriter tar, string name, ReadOnlyMemory<byte> content, UnixFileMode mode, CancellationToken cancellationToken) =>
        tar.WriteEntryAsync(
            new PaxTarEntry(TarEntryType.RegularFile, SpecFolder + name) { Mode = mode, DataStream = new MemoryStream(content.ToArray(), writable: false) },
            cancellationToken);

    private static async Task TakeAsync(
        string bundle, TarEntry entry, Pool pool, Dictionary<string, (byte[] Content, UnixFileMode Mode)> specs, CancellationToken cancellationToken)
    {
        Stream content = entry.DataStream ?? Stream.Null;
        if (entry.Name.StartsWith(PoolFolder, StringComparison.Ordinal) && ImageKey.IsValid(entry.Name[PoolFolder.Length..]))
        {
            await pool.AddAsync(entry.Name[PoolFolder.Length..], (file, token) => content.CopyToAsync(file, token), cancellationToken);
            return;
        }

        string name = entry.Name.StartsWith(SpecFolder, StringComparison.Ordinal) ? entry.Name[SpecFolder.Length..] : "";
        if (ValueChecks.InnerPath(name) is not null || specs.Count > Appliances.SpecFolder.MaxEntries
            || specs.Values.Sum(spec => (long)spec.Content.Length) + entry.Length > Appliances.SpecFolder.MaxBytes)
        {
            throw NoBundle(bundle, $"its entry {SpecProblems.Quote(entry.Name)} is not what a bundle has");
        }

        using var memory = new MemoryStream();
        await content.CopyToAsync(memory, cancellationToken);
        specs[name] = (memory.ToArray(), entry.Mode.HasFlag(UnixFileMode.UserExecute) ? ProgramMode : PlainMode);
    }

    private static async Task<string> PlaceAsync(
        string bundle, Dictionary<string, (byte[] Content, UnixFileMode Mode)> specs, string folder, bool force, CancellationToken cancellationToken)
    {
        string spec = specs.Keys.FirstOrDefault(name => !name.Contains('/') && Path.GetExtension(name) is ".yml" or ".yaml" && specs.ContainsKey(ApplianceLock.PathFor(name)))
            ?? throw NoBundle(bundle, "it has no spec with its lock");
        if (!force && specs.Keys.Select(name => Path.Combine(folder, name)).FirstOrDefault(Path.Exists) is { } existing)
        {
            throw new VirtigoException(FailureKind.Usage, $"The file {existing} exists.", "Give another folder, or --force to replace it.");
        }

        foreach ((string name, (byte[] content, UnixFileMode mode)) in specs)
        {
            string target = Path.Combine(folder, name);
            CheckInside(folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            await AtomicFile.WriteAsync(target, (file, token) => file.WriteAsync(content, token).AsTask(), mode, cancellationToken);
        }

        return Path.Combine(folder, spec);
    }

    /// <summary>A link that is in the folder already must not lead a stranger's file out of it.</summary>
    private static void CheckInside(string folder, string name)
    {
        string path = folder;
        foreach (string part in name.Split('/')[..^1])
        {
            path = Path.Combine(path, part);
            if (new DirectoryInfo(path).LinkTarget is not null)
            {
                throw new VirtigoException(FailureKind.Usage, $"{path} is a link, so nothing of a bundle is written there.", "Give another folder.");
            }
        }
    }

    private static VirtigoException NoBundle(string bundle, string problem) =>
        new(FailureKind.Usage, string.Create(CultureInfo.InvariantCulture, $"{bundle} is no bundle of Virtigo's: {problem}."), "Make one with: virtigo bundle web.yml");
}
