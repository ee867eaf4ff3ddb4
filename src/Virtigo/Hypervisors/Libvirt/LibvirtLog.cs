using System.Text;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>The log that libvirt keeps of a session's domain, its QEMU's command line and words: ours are gone once they were read.</summary>
internal static class LibvirtLog
{
    // The last words of the command line, which comes before anything that QEMU says.
    private const string Begin = "-msg timestamp=on";

    /// <summary>Where this user's are.</summary>
    public static string Folder(Func<string, string?> variable)
    {
        string cache = variable("XDG_CACHE_HOME") is { Length: > 0 } set ? set
            : Path.Combine(variable("HOME") is { Length: > 0 } home ? home : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(cache, "libvirt", "qemu", "log");
    }

    /// <summary>Removes a domain's log.</summary>
    /// <param name="folder">Where logs are.</param>
    /// <param name="domain">The domain.</param>
    /// <returns>The last of what QEMU said in it, at most 16 KiB.</returns>
    public static string Take(string folder, string domain)
    {
        string path = Path.Combine(folder, domain + ".log");
        string said = "";
        try
        {
            if (File.Exists(path))
            {
                said = Said(path);
                File.Delete(path);
            }

            // What a flood made it turn over.
            for (int older = 0; File.Exists($"{path}.{older}"); older++)
            {
                File.Delete($"{path}.{older}");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It is libvirt's own affair, and says little.
        }

        return said;
    }

    private static string Said(string path)
    {
        var tail = new ByteTail(ChildProcess.TailLimit);
        using FileStream file = File.OpenRead(path);
        file.Position = Math.Max(0, file.Length - (4 * ChildProcess.TailLimit));
        byte[] buffer = new byte[4096];
        for (int read; (read = file.Read(buffer)) > 0;)
        {
            tail.Append(buffer.AsSpan(0, read));
        }

        string text = Encoding.UTF8.GetString(tail.ToArray());
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        return string.Join('\n', (begin < 0 ? text : text[(begin + Begin.Length)..]).Split('\n')
            .Where(line => line.Contains("qemu-system", StringComparison.Ordinal)));
    }
}
