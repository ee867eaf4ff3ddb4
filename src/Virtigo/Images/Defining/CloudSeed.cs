using System.Text.Encodings.Web;
using System.Text.Json;

namespace Virtigo.Images;

/// <summary>The seed that cloud-init's NoCloud source reads from a volume called <c>cidata</c>.</summary>
internal static class CloudSeed
{
    /// <summary>The volume, made from the files where the host has a program for it.</summary>
    public const string VolumeName = "seed.iso";

    private static readonly string[] s_programs = ["genisoimage", "mkisofs", "xorrisofs"];

    public static IReadOnlyList<DefinitionFile> Write(ImageManifest manifest, IReadOnlyList<string> sshKeys)
    {
        string keys = sshKeys.Count == 0 ? "" : "ssh_authorized_keys:\n" + string.Concat(sshKeys.Select(key => $"  - {Quoted(key.Trim())}\n"));
        return
        [
            new DefinitionFile("meta-data", $"instance-id: {Quoted($"{manifest.Name}-{manifest.Key[..12]}")}\nlocal-hostname: {Quoted(Host(manifest))}\n", false),
            new DefinitionFile("user-data", $"#cloud-config\nhostname: {Quoted(Host(manifest))}\n{keys}", false),
        ];
    }

    /// <summary>The program that makes the volume, or null.</summary>
    public static string? Program(Func<string, string?> find) => s_programs.FirstOrDefault(program => find(program) is not null);

    /// <summary>The arguments for that program, to be run in the folder of the files.</summary>
    public static IReadOnlyList<string> Arguments(IEnumerable<DefinitionFile> files) =>
        ["-quiet", "-output", VolumeName, "-volid", "cidata", "-joliet", "-rock", .. files.Select(file => file.Name)];

    private static string Host(ImageManifest manifest) => manifest.Plan.FirstOrDefault(value => value.Key == "hostname")?.Value ?? manifest.Name;

    // What JSON quotes, YAML reads.
    private static string Quoted(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
