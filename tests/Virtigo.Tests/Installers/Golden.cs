using System.Runtime.CompilerServices;
using CsCheck;
using Xunit;

namespace Virtigo.Tests.Installers;

/// <summary>Files of the folder "golden": what an installer really wrote, and what Virtigo is to write.</summary>
internal static class Golden
{
    public static byte[] Bytes(string name) => File.ReadAllBytes(Path.Combine(Folder(), name));

    public static string Text(string name) => File.ReadAllText(Path.Combine(Folder(), name));

    /// <summary>Compares with a golden file; with VIRTIGO_WRITE_GOLDEN=1 in the environment, writes it instead.</summary>
    public static void Same(string name, string actual) => Same(name, actual, "Installers");

    /// <summary>The same, with the folder "golden" of another room's tests.</summary>
    public static void Same(string name, string actual, string room)
    {
        string path = Path.Combine(Folder(), "..", "..", room, "golden", name);
        if (Environment.GetEnvironmentVariable("VIRTIGO_WRITE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }

        Assert.Equal(File.ReadAllText(path), actual);
    }

    /// <summary>One of some pieces of text, to make inputs that are nearly right.</summary>
    public static Gen<string> Pieces(params string[] pieces) => Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]);

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "golden");
}
