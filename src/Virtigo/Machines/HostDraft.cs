namespace Virtigo.Machines;

/// <summary>A folder beside the place where files of a machine go, until they are complete. Disposing it removes what is left in it.</summary>
internal sealed class HostDraft : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _target;

    /// <summary>Makes it.</summary>
    /// <param name="target">The absolute path that what comes is to have; its folder exists.</param>
    public HostDraft(string target)
    {
        _target = target;
        string parent = Directory.Exists(target) ? target : System.IO.Path.GetDirectoryName(target)!;
        Path = System.IO.Path.Combine(parent, $".{System.IO.Path.GetFileName(target)}.virtigo-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path, OwnerOnly);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Moves the only file in it to its place, over one that is there.</summary>
    /// <returns>False when there is something else in it.</returns>
    public bool MoveFile()
    {
        if (Directory.GetFileSystemEntries(Path) is not [var file] || !File.Exists(file) || new FileInfo(file).LinkTarget is not null)
        {
            return false;
        }

        File.Move(file, _target, overwrite: true);
        return true;
    }

    /// <summary>
    /// Moves all of it to its place. In a folder that is there, files are added and replaced; nothing is written through links, and when
    /// something is in the way, nothing is moved.
    /// </summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when something is in the way.</exception>
    public void MoveTree()
    {
        if (!Directory.Exists(_target))
        {
            Directory.Move(Path, _target);
            return;
        }

        Check(new DirectoryInfo(Path), _target);
        Merge(new DirectoryInfo(Path), _target);
    }

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }

    private static void Check(DirectoryInfo from, string to)
    {
        foreach (FileSystemInfo one in from.EnumerateFileSystemInfos())
        {
            string place = System.IO.Path.Combine(to, one.Name);
            bool isFolder = one is DirectoryInfo { LinkTarget: null };
            bool isLinkThere = new FileInfo(place).LinkTarget is not null;
            if (isFolder ? isLinkThere || File.Exists(place) : !isLinkThere && Directory.Exists(place))
            {
                throw new VirtigoException(FailureKind.Usage, $"{place} is in the way: it is {(isFolder ? "no folder" : "a folder")}, and what comes is {(isFolder ? "one" : "none")}.",
                    "Name another place, or remove it.");
            }

            if (isFolder && Directory.Exists(place))
            {
                Check((DirectoryInfo)one, place);
            }
        }
    }

    private static void Merge(DirectoryInfo from, string to)
    {
        foreach (FileSystemInfo one in from.EnumerateFileSystemInfos().ToArray())
        {
            string place = System.IO.Path.Combine(to, one.Name);
            if (one.LinkTarget is { } leads)
            {
                File.Delete(place);
                File.CreateSymbolicLink(place, leads);
            }
            else if (one is not DirectoryInfo folder)
            {
                File.Move(one.FullName, place, overwrite: true);
            }
            else if (Directory.Exists(place))
            {
                Merge(folder, place);
            }
            else
            {
                Directory.Move(one.FullName, place);
            }
        }
    }
}
