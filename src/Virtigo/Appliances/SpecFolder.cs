using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>
/// The folder of a spec, and the only one that the spec can take files from. A spec may be a stranger's: links that lead out of the folder
/// are not followed, only regular files are read, and all that is read together has a bound.
/// </summary>
internal sealed partial class SpecFolder
{
    /// <summary>The most that all files of a spec may hold together, in bytes: they travel in the installer's memory.</summary>
    public const long MaxBytes = 128L << 20;

    /// <summary>The most files, folders and links that a spec may bring.</summary>
    public const int MaxEntries = 10_000;

    // O_RDONLY | O_NONBLOCK | O_CLOEXEC, and O_NOFOLLOW | O_DIRECTORY, as of the architectures Virtigo runs on: a named pipe does not block the opening.
    private const int OpenFlags = 0x800 | 0x80000;
    private static readonly int s_noFollow = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;

    private readonly string _folder;
    private readonly List<SpecFile> _taken = [];
    private long _bytes;
    private int _entries;

    private SpecFolder(string folder) => _folder = folder;

    /// <summary>What was taken from the folder, secrets left out: what the spec needs to be the same elsewhere.</summary>
    public IReadOnlyList<SpecFile> Taken => _taken;

    /// <summary>The folder a spec file is in.</summary>
    /// <param name="specFile">The spec's path; may be relative to the working folder.</param>
    public static SpecFolder Of(string specFile) => new(Path.GetDirectoryName(Path.GetFullPath(specFile)) ?? "/");

    /// <summary>Reads one file.</summary>
    /// <param name="relative">Its path below the folder.</param>
    /// <param name="place">Where the spec names it, for messages.</param>
    /// <param name="maxBytes">The most bytes it may have.</param>
    /// <param name="secret">Whether it is not to go where the spec goes.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it is outside, missing, no regular file or too large.</exception>
    public byte[] ReadFile(string relative, string place, long maxBytes = MaxBytes, bool secret = false)
    {
        using SafeFileHandle file = OpenInside(relative, place);
        byte[] content = Read(file, relative, place, maxBytes);
        return secret ? content : Take(relative, content, executable: false);
    }

    /// <summary>The real path of a file, which something else than Virtigo reads.</summary>
    /// <param name="relative">Its path below the folder.</param>
    /// <param name="place">Where the spec names it, for messages.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it is outside, missing, or no regular file.</exception>
    public string Locate(string relative, string place)
    {
        using SafeFileHandle file = OpenInside(relative, place);
        string real = PathOf(file);
        return File.Exists(real) ? real : throw Wrong(place, relative, "is no regular file");
    }

    /// <summary>Reads a file, or a folder with everything in it. Links in the folder are taken as links.</summary>
    /// <param name="relative">The path below the folder.</param>
    /// <param name="to">Where it is to be in the installed system.</param>
    /// <param name="place">Where the spec names it, for messages.</param>
    /// <returns>The entries in the order of their paths, folders before what is in them.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: as for <see cref="ReadFile"/>.</exception>
    public IReadOnlyList<TargetEntry> ReadTree(string relative, string to, string place)
    {
        using SafeFileHandle root = OpenInside(relative, place);
        string real = PathOf(root);
        if (!Directory.Exists(real))
        {
            Count(relative, place);
            UnixFileMode mode = ModeOf(real);
            return [new TargetEntry(to, TargetEntryKind.File, mode, Take(relative, Read(root, relative, place, MaxBytes), IsProgram(mode)))];
        }

        var entries = new List<TargetEntry>();
        AddFolder(entries, real, relative, to, place);
        return entries;
    }

    private static UnixFileMode ModeOf(string path) => File.GetUnixFileMode(path).HasFlag(UnixFileMode.UserExecute) ? (UnixFileMode)0x1ED : (UnixFileMode)0x1A4;

    private static bool IsProgram(UnixFileMode mode) => mode.HasFlag(UnixFileMode.UserExecute);

    private byte[] Take(string relative, byte[] content, bool executable)
    {
        _taken.Add(new SpecFile(relative, content, executable, Link: null));
        return content;
    }

    private static VirtigoException Wrong(string place, string relative, string problem, string? hint = null) =>
        new(FailureKind.Usage, $"{place}: {SpecProblems.Quote(relative)} {problem}.",
            hint ?? "Give the path of a file in the folder of the spec, relative to that folder.");

    private static string PathOf(SafeFileHandle file) =>
        new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget ?? "";

    private void AddFolder(List<TargetEntry> entries, string real, string relative, string to, string place)
    {
        Count(relative, place);
        if (to != "/")
        {
            entries.Add(new TargetEntry(to, TargetEntryKind.Folder, (UnixFileMode)0x1ED, default));
        }

        foreach (FileSystemInfo found in Children(real, relative, place).OrderBy(found => found.Name, StringComparer.Ordinal))
        {
            string path = $"{relative}/{found.Name}";
            string target = to == "/" ? "/" + found.Name : $"{to}/{found.Name}";
            if (found.LinkTarget is { } link)
            {
                Count(path, place);
                if (Encoding.UTF8.GetByteCount(link) > TargetArchive.MaxLinkBytes)
                {
                    throw Wrong(place, path, $"is a link of more than {TargetArchive.MaxLinkBytes} bytes", "Make it shorter, or make it in a run step.");
                }

                entries.Add(new TargetEntry(target, TargetEntryKind.Link, default, Encoding.UTF8.GetBytes(link)));
                _taken.Add(new SpecFile(path, default, Executable: false, link));
            }
            else if (found is DirectoryInfo)
            {
                AddFolder(entries, found.FullName, path, target, place);
            }
            else
            {
                Count(path, place);
                using SafeFileHandle file = OpenFile(found.FullName, OpenFlags | s_noFollow);
                if (file.IsInvalid)
                {
                    throw Wrong(place, path, "cannot be read: " + Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
                }

                UnixFileMode mode = ModeOf(found.FullName);
                entries.Add(new TargetEntry(target, TargetEntryKind.File, mode, Take(path, Read(file, path, place, MaxBytes), IsProgram(mode))));
            }
        }
    }

    private static FileSystemInfo[] Children(string real, string relative, string place)
    {
        try
        {
            return [.. new DirectoryInfo(real).EnumerateFileSystemInfos().Take(MaxEntries + 1)];
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw Wrong(place, relative, "cannot be read: " + unreadable.Message);
        }
    }

    private void Count(string relative, string place)
    {
        if (++_entries > MaxEntries)
        {
            throw Wrong(place, relative, $"is one file too many: a spec may bring {MaxEntries}", "Pack them into an archive, and unpack it in a run step.");
        }
    }

    private SafeFileHandle OpenInside(string relative, string place)
    {
        if (ValueChecks.InnerPath(relative) is { } problem)
        {
            throw Wrong(place, relative, problem);
        }

        using SafeFileHandle folder = OpenFile(_folder, OpenFlags);
        SafeFileHandle file = OpenFile(Path.Combine(_folder, relative), OpenFlags);
        if (folder.IsInvalid || file.IsInvalid)
        {
            string said = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            file.Dispose();
            throw Wrong(place, relative, $"cannot be read in {_folder}: {said}");
        }

        // Where what is open now really is, whatever links led there: nothing can change between this look and the reading.
        string inside = PathOf(folder).TrimEnd('/') + "/";
        if (!PathOf(file).StartsWith(inside, StringComparison.Ordinal))
        {
            file.Dispose();
            throw Wrong(place, relative, "is a link that leads out of the folder of the spec",
                "A spec takes files from its own folder only: copy the file there.");
        }

        return file;
    }

    private byte[] Read(SafeFileHandle file, string relative, string place, long maxBytes)
    {
        using var content = new MemoryStream();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            // Only what has a length is a regular file; a pipe or a device has none, and a folder is told by its reading.
            long length = RandomAccess.GetLength(file);
            for (int read; (read = RandomAccess.Read(file, buffer, content.Length)) > 0;)
            {
                content.Write(buffer, 0, read);
                _bytes += read;
                if (content.Length > maxBytes || _bytes > MaxBytes)
                {
                    throw Wrong(place, relative, content.Length > maxBytes
                        ? $"is larger than {ByteSize.Format(maxBytes)}"
                        : $"is too much: the files of a spec may have {ByteSize.Format(MaxBytes)} together",
                        "Have a package or a run step bring what is larger.");
                }
            }

            return length < 0 ? [] : content.ToArray();
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw Wrong(place, relative, unreadable is NotSupportedException ? "is no regular file" : "cannot be read: " + unreadable.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Safe: the path is marshalled for the length of the call; the returned descriptor is owned by the handle.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenFile(string path, int flags);
}

/// <summary>A file that a spec brings.</summary>
/// <param name="Path">Its path below the spec's folder.</param>
/// <param name="Content">What is in it.</param>
/// <param name="Executable">Whether it is a program.</param>
/// <param name="Link">Where it leads when it is a link; else null.</param>
internal sealed record SpecFile(string Path, ReadOnlyMemory<byte> Content, bool Executable, string? Link);
