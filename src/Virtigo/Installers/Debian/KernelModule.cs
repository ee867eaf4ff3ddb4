using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>What a kernel module says about itself and how modules are named.</summary>
internal static class KernelModule
{
    private const int MaximumDepends = 16 * 1024;
    private static readonly string[] Compressions = ["", ".xz", ".zst", ".gz"];

    /// <summary>The name of a module by its path; the kernel does not tell <c>-</c> and <c>_</c> apart.</summary>
    /// <param name="path">The path of a file, as in <c>kernel/fs/ext4/ext4.ko.xz</c>.</param>
    /// <returns>The name, as in <c>ext4</c>; null when the file is not a module.</returns>
    public static string? NameOf(string path) =>
        WithoutEnding(path) is { } stem ? Normalise(stem[(stem.LastIndexOf('/') + 1)..]) : null;

    /// <summary>The path without <c>.ko</c> and the ending of its compression; null when the file is not a module.</summary>
    public static string? WithoutEnding(string path)
    {
        string? compression = Compressions.FirstOrDefault(ending => path.EndsWith(".ko" + ending, StringComparison.Ordinal));
        return compression is null ? null : path[..^(3 + compression.Length)];
    }

    /// <summary>The modules that have to be there before this one, read from the module itself (<c>modinfo -F depends</c>).</summary>
    /// <param name="module">A decompressed module.</param>
    /// <exception cref="InvalidDataException">It says nothing about dependencies, so it is not a module.</exception>
    public static IReadOnlyList<string> Depends(ReadOnlySpan<byte> module)
    {
        // Every module has a table of zero-terminated "key=value" texts (.modinfo), whatever its word size and byte order.
        int start = module.IndexOf("\0depends="u8);
        ReadOnlySpan<byte> value = start < 0 ? default : module[(start + "\0depends=".Length)..];
        int end = value[..Math.Min(value.Length, MaximumDepends)].IndexOf((byte)0);
        if (start < 0 || end < 0)
        {
            throw new InvalidDataException("The file is not a kernel module: it does not say what it depends on.");
        }

        return [.. Encoding.UTF8.GetString(value[..end]).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Normalise)];
    }

    private static string Normalise(string name) => name.Replace('-', '_');
}
