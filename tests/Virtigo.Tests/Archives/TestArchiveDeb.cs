using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Tests.Archives;

/// <summary>A package for a test archive, built by dpkg-deb; the same package is built once per test process.</summary>
internal sealed record TestArchiveDeb(string Name, string Version = "1.0-1", string Architecture = "amd64")
{
    private static readonly ConcurrentDictionary<string, Lazy<byte[]>> Built = new();

    /// <summary>Whether it is an installer component.</summary>
    public bool Udeb { get; init; }

    /// <summary>Further control fields, as <c>Depends</c>.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init; } = new Dictionary<string, string>();

    /// <summary>Its files by path, as <c>usr/share/x</c>.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>Files that are no text, by path.</summary>
    public IReadOnlyDictionary<string, byte[]> Binaries { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>Further control files, as <c>templates</c>, by name.</summary>
    public IReadOnlyDictionary<string, string> ControlFiles { get; init; } = new Dictionary<string, string>();

    /// <summary>The compression: gzip, xz, zstd or none.</summary>
    public string Compression { get; init; } = "gzip";

    /// <summary>Bytes of noise added as <c>usr/share/NAME/noise</c>, to make it large.</summary>
    public int Noise { get; init; }

    /// <summary>The component of the archive it goes to.</summary>
    public string Component { get; init; } = "main";

    public string Filename =>
        $"pool/{Component}/{Name[0]}/{Name}/{Name}_{Version[(Version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_{Architecture}.{(Udeb ? "udeb" : "deb")}";

    /// <summary>The control file without the fields that an archive adds.</summary>
    public string Control
    {
        get
        {
            var text = new StringBuilder($"Package: {Name}\nVersion: {Version}\nArchitecture: {Architecture}\n");
            foreach ((string name, string value) in Fields)
            {
                text.Append($"{name}: {value}\n");
            }

            return text.Append("Maintainer: Nobody <nobody@mirror.example>\nDescription: test package\n").ToString();
        }
    }

    /// <summary>The package file.</summary>
    public byte[] Build() => Built.GetOrAdd(Identity(), _ => new Lazy<byte[]>(BuildNow)).Value;

    /// <summary>The package's paragraph in a Packages file.</summary>
    public string Paragraph()
    {
        byte[] file = Build();
        return $"{Control}Filename: {Filename}\nSize: {file.Length}\nSHA256: {Convert.ToHexStringLower(SHA256.HashData(file))}\n";
    }

    private static string Flat(IReadOnlyDictionary<string, string> files) => string.Join('\0', files.Select(file => file.Key + "\0" + file.Value));

    private string Identity() => string.Join("\0\0", Control, Udeb, Compression, Noise, Flat(Files), Flat(ControlFiles),
        string.Join('\0', Binaries.Select(file => file.Key + "\0" + Convert.ToHexStringLower(SHA256.HashData(file.Value)))));

    private byte[] BuildNow()
    {
        string folder = TestArchiveTools.NewFolder();
        string control = Directory.CreateDirectory(Path.Combine(folder, "root", "DEBIAN")).FullName;
        File.WriteAllText(Path.Combine(control, "control"), Control);
        foreach ((string name, string content) in ControlFiles)
        {
            File.WriteAllText(Path.Combine(control, name), content);
            File.SetUnixFileMode(Path.Combine(control, name), (UnixFileMode)0b111_101_101);
        }

        foreach ((string path, string content) in Files)
        {
            Write(Path.Combine(folder, "root", path), Encoding.UTF8.GetBytes(content));
        }

        foreach ((string path, byte[] content) in Binaries)
        {
            Write(Path.Combine(folder, "root", path), content);
        }

        if (Noise > 0)
        {
            byte[] noise = new byte[Noise];
            new Random(Noise).NextBytes(noise);
            Write(Path.Combine(folder, "root", "usr/share", Name, "noise"), noise);
        }

        string target = Path.Combine(folder, "out.deb");
        TestArchiveTools.Run("dpkg-deb", null, $"-Z{Compression}", "-z1", "--root-owner-group", "--nocheck", "-b", Path.Combine(folder, "root"), target);
        return File.ReadAllBytes(target);
    }

    private static void Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }
}
