using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>The debconf templates of an installer: every question that it may ask.</summary>
internal static class InstallerTemplates
{
    private const int MaximumBytes = 16 * 1024 * 1024;
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads the templates of every package of a build.</summary>
    /// <returns>The raw text of the templates file, by package name.</returns>
    /// <exception cref="InvalidDataException">The cached file is damaged.</exception>
    public static Task<IReadOnlyDictionary<string, string>> ReadAsync(InstallerBuild build, CancellationToken cancellationToken) =>
        ReadAsync(build.TemplatesPath, cancellationToken);

    /// <summary>Reads what <see cref="WriteAsync"/> wrote.</summary>
    internal static async Task<IReadOnlyDictionary<string, string>> ReadAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream file = File.OpenRead(path);
        var reader = new CpioReader(file);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken) is { } entry)
        {
            all[entry.Path] = Encoding.UTF8.GetString(await reader.ReadContentAsync(MaximumBytes, cancellationToken));
        }

        return all;
    }

    /// <summary>Writes templates so that <see cref="ReadAsync(string, CancellationToken)"/> reads them.</summary>
    internal static async Task WriteAsync(Stream output, IReadOnlyDictionary<string, string> templates, CancellationToken cancellationToken)
    {
        var writer = new CpioWriter(output);
        foreach ((string package, string text) in templates.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            await writer.WriteFileAsync(package, Mode, Encoding.UTF8.GetBytes(text), cancellationToken);
        }

        await writer.FinishAsync(cancellationToken);
    }
}
