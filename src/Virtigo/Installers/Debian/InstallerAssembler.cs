using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virtigo.Archives;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>
/// Puts an installer together on the host: kernel, initial file system and every component that the guest will ask for,
/// all verified from the archive's keyring down. What was assembled once is used again without a request.
/// </summary>
/// <param name="client">Opens the archives.</param>
/// <param name="paths">Where the cache is.</param>
internal sealed class InstallerAssembler(ArchiveClient client, HostPaths paths)
{
    private const string Component = "main";
    private const int Format = 1;
    private const int MaximumTemplatesBytes = 16 * 1024 * 1024;
    private const string CpioName = "components.cpio";
    private const string TemplatesName = "templates";
    private const string RecordName = "components.json";
    private const UnixFileMode FileMode = (UnixFileMode)0x1A4;
    private const UnixFileMode ProgramMode = (UnixFileMode)0x1ED;
    private readonly InstallerBaseStore _bases = new(paths);

    /// <summary>The suite that the installer is taken from and the SHA-256 of its signed file, whatever the archive has by now; null to find one.</summary>
    public (string Suite, string Release)? Pinned { get; init; }

    /// <summary>Assembles the installer of a suite.</summary>
    /// <inheritdoc cref="AssembleAsync(ArchiveSuite, string, IReadOnlyList{string}, CancellationToken)"/>
    public async Task<InstallerBuild> AssembleAsync(
        ArchiveSource source, string architecture, IReadOnlyList<string> udebsWanted, CancellationToken cancellationToken) =>
        await AssembleAsync(await client.OpenAsync(source, cancellationToken), architecture, udebsWanted, cancellationToken);

    /// <summary>
    /// Assembles the installer of a suite that is already open. Where the mirror's installer does not belong to its Release, as on one that copies
    /// parts at different times, the same release under its other name (<c>stable</c>) is used if it is whole: the installer of an earlier point
    /// release installs today's packages.
    /// </summary>
    /// <param name="suite">The suite.</param>
    /// <param name="architecture">Debian's name of the architecture, as in <c>amd64</c>.</param>
    /// <param name="udebsWanted">The components asked for, by name or by what they provide; see <see cref="DefaultComponents"/>.</param>
    /// <param name="cancellationToken">Ends the work; nothing unfinished stays.</param>
    /// <exception cref="VirtigoException">
    /// The archive lacks something that cannot be rebuilt, or its installer's kernel and its kernel modules do not belong
    /// together (<see cref="FailureKind.Archive"/>).
    /// </exception>
    public async Task<InstallerBuild> AssembleAsync(
        ArchiveSuite suite, string architecture, IReadOnlyList<string> udebsWanted, CancellationToken cancellationToken)
    {
        if (Pinned is var (name, release))
        {
            ArchiveSource pinned = suite.Source with { Suite = name, Pinned = release };
            return await AssembleFromAsync(await client.OpenAsync(pinned, cancellationToken), architecture, udebsWanted, cancellationToken);
        }

        try
        {
            return await AssembleFromAsync(suite, architecture, udebsWanted, cancellationToken);
        }
        catch (VirtigoException e) when (IsMirrorsFault(e))
        {
            if (await UnderOtherNameAsync(suite, cancellationToken) is not { } other)
            {
                throw;
            }

            client.Options.Progress?.Invoke(new FetchProgress(ArchiveUri.Shown(suite.Source.BaseUri), 0, null, Finished: false,
                $"the installer does not belong to the archive's {suite.Release.Version}; using that of {other.Release.Version} ({other.Source.Suite})"));
            try
            {
                InstallerBuild build = await AssembleFromAsync(other, architecture, udebsWanted, cancellationToken);
                return build with { Source = $"{build.Source}, of {other.Source.Suite} {other.Release.Version}" };
            }
            catch (VirtigoException second) when (IsMirrorsFault(second))
            {
                // What the user named is what is to be mended; what could do without is told beside it.
                throw new VirtigoException(e.Kind, $"{e.Message} Nor can that of {other.Release.Version} ({other.Source.Suite}) be used: {second.Message}", e.Hint, second);
            }
        }
    }

    private static bool IsMirrorsFault(VirtigoException error) => error.Kind is FailureKind.Archive or FailureKind.Trust;

    private async Task<ArchiveSuite?> UnderOtherNameAsync(ArchiveSuite suite, CancellationToken cancellationToken)
    {
        if (suite.Release.Suite is not { } name || name == suite.Source.Suite || !ArchiveUri.IsPlainPath(name))
        {
            return null;
        }

        try
        {
            ArchiveSuite other = await client.OpenAsync(suite.Source with { Suite = name }, cancellationToken);
            return other.Release.Codename == suite.Release.Codename && other.ReleaseSha256 != suite.ReleaseSha256 ? other : null;
        }
        catch (VirtigoException e) when (IsMirrorsFault(e))
        {
            return null;
        }
    }

    private async Task<InstallerBuild> AssembleFromAsync(
        ArchiveSuite suite, string architecture, IReadOnlyList<string> udebsWanted, CancellationToken cancellationToken)
    {
        PackageIndex udebs = await suite.PackagesAsync(Component, architecture, installer: true, cancellationToken);
        InstallerBase installer = await _bases.GetAsync(suite, architecture, cancellationToken);
        CheckKernel(suite, installer, udebs);
        IReadOnlyList<PackageEntry> chosen =
            UdebResolver.Resolve(udebs, udebsWanted, Present(installer.Contents, udebsWanted), installer.Contents.KernelVersion);
        string key = KeyOf(installer, chosen, udebsWanted);
        string directory = Path.Combine(paths.Installers, "components-" + key[..32]);
        InstallerComponentsRecord record = await CacheDirectory.GetAsync(
            directory,
            path => ReadAsync(path, cancellationToken),
            path => MakeAsync(path, suite, architecture, installer, chosen, udebsWanted, cancellationToken),
            cancellationToken);
        return new InstallerBuild
        {
            Version = installer.Version,
            KernelVersion = installer.Contents.KernelVersion,
            KernelPath = installer.KernelPath,
            InitrdPath = installer.InitrdPath,
            UdebCpioPath = Path.Combine(directory, CpioName),
            TemplatesPath = Path.Combine(directory, TemplatesName),
            Components = record.Components,
            Source = installer.Record.Source,
            Suite = suite.Source.Suite,
            SuiteRelease = suite.ReleaseSha256,
            CacheKey = key,
        };
    }

    /// <summary>What the guest does not need to be given: what is inside already, and what an appliance has no use for.</summary>
    private static HashSet<string> Present(InstallerContents contents, IReadOnlyList<string> wanted)
    {
        HashSet<string> present = [.. contents.Components];
        foreach (string name in DefaultComponents.LeftOut.Except(wanted))
        {
            present.Add(name);
            present.Add($"{name}-{contents.KernelVersion}{KernelModuleSets.Suffix}");
        }

        return present;
    }

    private static void CheckKernel(ArchiveSuite suite, InstallerBase installer, PackageIndex udebs)
    {
        string kernel = installer.Contents.KernelVersion;
        IReadOnlyList<string> versions = UdebResolver.KernelVersions(udebs);
        if (versions.Contains(kernel))
        {
            return;
        }

        throw new VirtigoException(FailureKind.Archive,
            $"The installer of {suite.Source.Suite} (build {installer.Version}, from the {installer.Record.Source}) runs kernel {kernel}, "
            + $"but the archive {ArchiveUri.Shown(suite.Source.BaseUri)} has installer modules only for "
            + $"{(versions.Count == 0 ? "no kernel at all" : string.Join(", ", versions))}. Such an installer would find no disk.",
            "The archive's kernel was updated and its installer not yet: wait until the installer is rebuilt (usually with the next "
            + "point release), or set 'mirror' to a snapshot of the archive from before the update.");
    }

    private static string KeyOf(InstallerBase installer, IReadOnlyList<PackageEntry> chosen, IReadOnlyList<string> wanted)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"components {Format}\n{installer.Key}\n{Retriever.Script}\n");
        foreach (PackageEntry component in chosen)
        {
            text.Append(CultureInfo.InvariantCulture, $"{component.Name} {component.Version} {component.Sha256}\n");
        }

        foreach (string name in wanted.Order(StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"wanted {name}\n");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static async Task<InstallerComponentsRecord?> ReadAsync(string directory, CancellationToken cancellationToken) =>
        File.Exists(Path.Combine(directory, CpioName)) && File.Exists(Path.Combine(directory, TemplatesName))
            ? await InstallerJson.TryReadAsync(
                Path.Combine(directory, RecordName), InstallerJson.Default.InstallerComponentsRecord, cancellationToken)
            : null;

    private static async Task MakeAsync(
        string directory,
        ArchiveSuite suite,
        string architecture,
        InstallerBase installer,
        IReadOnlyList<PackageEntry> chosen,
        IReadOnlyList<string> wanted,
        CancellationToken cancellationToken)
    {
        string work = Directory.CreateDirectory(Path.Combine(directory, "work")).FullName;
        List<CarriedComponent> carried = await GatherAsync(suite, architecture, installer, chosen, work, cancellationToken);
        await using (FileStream cpio = File.Create(Path.Combine(directory, CpioName)))
        {
            await WriteCpioAsync(cpio, carried, wanted, cancellationToken);
        }

        await using (FileStream templates = File.Create(Path.Combine(directory, TemplatesName)))
        {
            await InstallerTemplates.WriteAsync(templates, await TemplatesAsync(installer, carried, cancellationToken), cancellationToken);
        }

        Directory.Delete(work, recursive: true);
        await using FileStream record = File.Create(Path.Combine(directory, RecordName));
        await JsonSerializer.SerializeAsync(record, new InstallerComponentsRecord([.. carried.Select(one => one.Component)]),
            InstallerJson.Default.InstallerComponentsRecord, cancellationToken);
    }

    private static async Task<List<CarriedComponent>> GatherAsync(
        ArchiveSuite suite,
        string architecture,
        InstallerBase installer,
        IReadOnlyList<PackageEntry> chosen,
        string work,
        CancellationToken cancellationToken)
    {
        IReadOnlyList<string?> fetched = await suite.TryFetchPackagesAsync(chosen, cancellationToken);
        ComponentRebuilder? rebuilder = null;
        try
        {
            var carried = new List<CarriedComponent>();
            foreach ((PackageEntry entry, string? path) in chosen.Zip(fetched))
            {
                if (path is not null)
                {
                    carried.Add(new CarriedComponent(entry, path,
                        new InstallerComponent(entry.Name, entry.Version.ToString(), entry.Sha256, entry.Size, [])));
                    continue;
                }

                rebuilder ??= new ComponentRebuilder(suite,
                    await suite.PackagesAsync(Component, architecture, installer: false, cancellationToken), installer.Contents, work);
                RebuiltComponent rebuilt = await rebuilder.RebuildAsync(entry, cancellationToken);
                byte[] content = await File.ReadAllBytesAsync(rebuilt.Path, cancellationToken);
                carried.Add(new CarriedComponent(entry, rebuilt.Path, new InstallerComponent(entry.Name, entry.Version.ToString(),
                    Convert.ToHexStringLower(SHA256.HashData(content)), content.Length, rebuilt.Sources)));
            }

            return carried;
        }
        finally
        {
            rebuilder?.Dispose();
        }
    }

    private static async Task WriteCpioAsync(
        Stream output, List<CarriedComponent> carried, IReadOnlyList<string> wanted, CancellationToken cancellationToken)
    {
        var writer = new CpioWriter(output);
        string packages = string.Join('\n', carried.Select(one => Stanza(one, wanted)));
        await writer.WriteFileAsync($"{Retriever.Store}/Packages", FileMode, Encoding.UTF8.GetBytes(packages), cancellationToken);
        foreach (CarriedComponent one in carried)
        {
            await using FileStream file = File.OpenRead(one.Path);
            await writer.WriteFileAsync($"{Retriever.Store}/{one.FileName}", FileMode, file, file.Length, cancellationToken);
        }

        await writer.WriteFileAsync(Retriever.Path, ProgramMode, Encoding.UTF8.GetBytes(Retriever.Script), cancellationToken);
        await writer.FinishAsync(cancellationToken);
    }

    /// <summary>
    /// The paragraph for the guest. The installer gets components of priority standard without being asked, and others only
    /// as dependencies: whatever is wanted has to be standard.
    /// </summary>
    private static string Stanza(CarriedComponent one, IReadOnlyList<string> wanted)
    {
        ControlParagraph stanza = one.Entry.Paragraph
            .With("Filename", one.FileName)
            .With("Size", one.Component.Size.ToString(CultureInfo.InvariantCulture))
            .With("SHA256", one.Component.Sha256);
        if (one.Component.RebuiltFrom.Count > 0)
        {
            stanza = stanza.Without("MD5sum").Without("SHA1").Without("SHA512");
        }

        return (one.Names.Any(wanted.Contains) ? stanza.With("Priority", "standard") : stanza).ToString();
    }

    private static async Task<IReadOnlyDictionary<string, string>> TemplatesAsync(
        InstallerBase installer, List<CarriedComponent> carried, CancellationToken cancellationToken)
    {
        var all = new Dictionary<string, string>(await InstallerTemplates.ReadAsync(installer.TemplatesPath, cancellationToken));
        foreach (CarriedComponent one in carried)
        {
            using DebPackage package = DebPackage.Open(one.Path);
            if (package.ReadControlFile("templates") is { Length: <= MaximumTemplatesBytes } templates)
            {
                all[one.Entry.Name] = Encoding.UTF8.GetString(templates);
            }
        }

        return all;
    }

    private sealed record CarriedComponent(PackageEntry Entry, string Path, InstallerComponent Component)
    {
        public IEnumerable<string> Names => Entry.Provides.SelectMany(one => one.Alternatives).Select(one => one.Name).Prepend(Entry.Name);

        public string FileName => Entry.Filename[(Entry.Filename.LastIndexOf('/') + 1)..];
    }
}
