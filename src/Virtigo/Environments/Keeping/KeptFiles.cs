using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>A file or folder of this host, or of a machine of a kept environment.</summary>
/// <param name="Environment">The environment; null for this host.</param>
/// <param name="Machine">The machine; null for this host.</param>
/// <param name="Path">The path; in a machine absolute. One that ends in <c>/.</c> means what is in a folder.</param>
public sealed record CopyPlace(RunningEnvironment? Environment, string? Machine, string Path)
{
    /// <summary>The place as a person writes it.</summary>
    public override string ToString() => Environment is null ? Path : $"{Environment.Name}/{Machine}:{Path}";
}

/// <summary>How far a copy is.</summary>
/// <param name="Source">What is copied.</param>
/// <param name="Target">What it is to be called.</param>
/// <param name="Bytes">How many bytes went so far, holes not counted.</param>
public sealed record CopyProgress(CopyPlace Source, CopyPlace Target, long Bytes);

/// <summary>What became of a copy.</summary>
/// <param name="Source">What was copied.</param>
/// <param name="Target">What it is called.</param>
/// <param name="LeftOut">What was left out: devices, pipes, and symbolic links that lead out of the folder; at most 1000 names.</param>
public sealed record CopyResult(CopyPlace Source, CopyPlace Target, IReadOnlyList<string> LeftOut);

/// <summary>Copies files and trees between this host and machines of kept environments, and from machine to machine, as <c>cp -r</c> does.</summary>
public static class KeptFiles
{
    /// <summary>
    /// Copies files, and folders with all that is in them: modes, times, symbolic links and holes are kept; in a machine, what comes from the host
    /// belongs to root. When the target is a folder, sources go into it under their names, else the only source becomes the target. Files that
    /// exist are replaced, folders that exist are added to. Each appears at its place when it is complete. What comes from a machine is
    /// not trusted: see <see cref="Machine.CopyOutAsync(string, string, CopyOptions, CancellationToken)"/>.
    /// </summary>
    /// <param name="sources">What to copy, at least one.</param>
    /// <param name="target">Where to.</param>
    /// <param name="progress">Told how far it is, many times; null for nobody.</param>
    /// <param name="cancellationToken">Gives up; of the source under way nothing is left.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when a source is not there, or the target does not fit, before anything is copied; <see cref="FailureKind.Guest"/>
    /// when a machine cannot read or take it; <see cref="FailureKind.Host"/> when this host cannot.
    /// </exception>
    public static async Task<IReadOnlyList<CopyResult>> CopyAsync(
        IReadOnlyList<CopyPlace> sources, CopyPlace target, IProgress<CopyProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(sources.Count);
        PathKind there = await KindAsync(target, cancellationToken);
        var planned = new List<(CopyPlace From, bool Folder, CopyPlace To)>();
        foreach (CopyPlace source in sources)
        {
            planned.Add(Plan(source, await KindAsync(source, cancellationToken), target, there, sources.Count));
        }

        var done = new List<CopyResult>();
        foreach ((CopyPlace from, bool folder, CopyPlace to) in planned)
        {
            IProgress<long>? bytes = progress is null ? null : new Bytes(progress, from, to);
            done.Add(new CopyResult(from, to, await CopyAsync(from, folder, to, bytes, cancellationToken)));
        }

        return done;
    }

    /// <summary>What a source becomes.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it cannot be copied there.</exception>
    internal static (CopyPlace From, bool Folder, CopyPlace To) Plan(CopyPlace source, PathKind what, CopyPlace target, PathKind there, int sources)
    {
        if (source.Environment is null && target.Environment is null)
        {
            throw Refuse($"Neither {source} nor {target} is in a machine.", "Write one as MACHINE:/path; for files of this host there is cp.");
        }

        bool folder = what == PathKind.Folder;
        if (what == PathKind.None || (!folder && source.Path.EndsWith('/')))
        {
            throw Refuse($"There is no {(what == PathKind.None ? "file or folder" : "folder")} {source}.", null);
        }

        string name = Name(source);
        string path = Trimmed(target.Path);
        if (there == PathKind.Folder)
        {
            path = name.Length == 0 ? path : path.TrimEnd('/') + "/" + name;
        }
        else if (sources > 1)
        {
            throw Refuse($"{target} is no folder, and {sources} files or folders are to go there.", "Make the folder first.");
        }
        else if (there == PathKind.File && (folder || target.Path.EndsWith('/')))
        {
            throw Refuse($"{target} is no folder.", "Name another place, or remove it.");
        }
        else if (!folder && target.Path.EndsWith('/'))
        {
            throw Refuse($"There is no folder {target}.", "Make it first, or name the file without / at the end.");
        }

        CopyPlace to = target with { Path = path };
        string from = Trimmed(source.Path);
        if (folder && source.Machine is not null && (source.Environment?.Name, source.Machine) == (target.Environment?.Name, target.Machine)
            && (path + "/").StartsWith(from.TrimEnd('/') + "/", StringComparison.Ordinal))
        {
            throw Refuse($"{source} cannot be copied into itself.", null);
        }

        return (source with { Path = from }, folder, to);
    }

    private static async Task<IReadOnlyList<string>> CopyAsync(
        CopyPlace from, bool folder, CopyPlace to, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (to.Environment is null)
        {
            return await OutAsync(from, folder, Path.GetFullPath(to.Path), progress, cancellationToken);
        }

        if (from.Environment is null)
        {
            await In(to).InAsync(Path.GetFullPath(from.Path), to.Path, progress, cancellationToken);
        }
        else
        {
            await In(from).AcrossAsync(from.Path, folder, In(to), to.Path, progress, cancellationToken);
        }

        return [];
    }

    private static async Task<IReadOnlyList<string>> OutAsync(CopyPlace from, bool folder, string target, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(target) is { } parent && !Directory.Exists(parent))
        {
            throw Refuse($"There is no folder {parent}.", "Make it first.");
        }

        if (folder ? File.Exists(target) : Directory.Exists(target))
        {
            throw Refuse($"{target} is in the way of {from}: it is {(folder ? "no folder" : "a folder")}.", "Name another place, or remove it.");
        }

        try
        {
            using var draft = new HostDraft(target);
            IReadOnlyList<string> leftOut = await In(from).OutAsync(from.Path, folder, draft.Path, progress, cancellationToken);
            if (folder)
            {
                draft.MoveTree();
            }
            else if (!draft.MoveFile())
            {
                throw new VirtigoException(FailureKind.Guest, $"{from} is not copied: the guest sent something else than one file.");
            }

            return leftOut;
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            throw new VirtigoException(FailureKind.Host, $"{from} cannot be stored as {target}: {error.Message}", inner: error);
        }
    }

    private static async Task<PathKind> KindAsync(CopyPlace place, CancellationToken cancellationToken)
    {
        if (place.Environment is null)
        {
            return Directory.Exists(place.Path) ? PathKind.Folder : Path.Exists(place.Path) ? PathKind.File : PathKind.None;
        }

        return place.Path.StartsWith('/') && !place.Path.Contains('\0')
            ? await In(place).KindAsync(place.Path, cancellationToken)
            : throw Refuse($"The path in {place} is not absolute.", "Write it from / on, as in: server:/etc/hosts");
    }

    private static GuestCopy In(CopyPlace place) => new(place.Machine!,
        async (script, token) => CallProcess.Of(await place.Environment!.StartAsync(place.Machine!, ["/bin/sh", "-c", script], new CommandOptions(), token)));

    /// <summary>The name of a source in a folder; empty when what is in it is meant.</summary>
    private static string Name(CopyPlace place)
    {
        string path = place.Path.TrimEnd('/');
        string last = path[(path.LastIndexOf('/') + 1)..];
        return place.Environment is null && last is ".." ? Path.GetFileName(Path.GetFullPath(path)) : last is "." or ".." ? "" : last;
    }

    private static string Trimmed(string path) => path.EndsWith("/.", StringComparison.Ordinal) ? Trimmed(path[..^1])
        : path.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";

    private static VirtigoException Refuse(string message, string? hint) => new(FailureKind.Usage, message, hint);

    private sealed class Bytes(IProgress<CopyProgress> progress, CopyPlace from, CopyPlace to) : IProgress<long>
    {
        public void Report(long value) => progress.Report(new CopyProgress(from, to, value));
    }
}
