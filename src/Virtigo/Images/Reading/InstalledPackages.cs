using System.Text;

namespace Virtigo.Images;

/// <summary>Reads which packages are installed from dpkg's own list on an image.</summary>
internal static class InstalledPackages
{
    private const int MostBytes = 256 << 20;
    private const int MostPackages = 200_000;

    /// <summary>The packages, or null when the image has no list that can be read.</summary>
    public static IReadOnlyList<ImagePackage>? Read(ImageFiles files) =>
        files.Find("/var/lib/dpkg/status") is { } list && files.Read(list, MostBytes) is { } bytes ? Parse(Encoding.UTF8.GetString(bytes)) : null;

    /// <summary>The installed packages of a list; a package that is only configured, or half there, is none.</summary>
    internal static IReadOnlyList<ImagePackage> Parse(string list)
    {
        var found = new List<ImagePackage>();
        string? name = null, version = null, architecture = null;
        bool installed = false;
        foreach (string line in list.Split('\n').Append(""))
        {
            if (line.Length == 0)
            {
                if (installed && name is not null && version is not null && found.Count < MostPackages)
                {
                    found.Add(new ImagePackage(name, version, architecture ?? ""));
                }

                (name, version, architecture, installed) = (null, null, null, false);
            }
            else if (Value(line, "Package: ") is { } package)
            {
                name = package;
            }
            else if (Value(line, "Version: ") is { } number)
            {
                version = number;
            }
            else if (Value(line, "Architecture: ") is { } kind)
            {
                architecture = kind;
            }
            else if (Value(line, "Status: ") is { } status)
            {
                installed = status.EndsWith(" installed", StringComparison.Ordinal) || status.EndsWith(" triggers-pending", StringComparison.Ordinal)
                    || status.EndsWith(" triggers-awaited", StringComparison.Ordinal);
            }
        }

        return found;
    }

    private static string? Value(string line, string key) => line.StartsWith(key, StringComparison.Ordinal) ? line[key.Length..].Trim() : null;
}
