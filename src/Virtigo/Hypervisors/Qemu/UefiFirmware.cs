using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// A UEFI firmware of this host that QEMU can give a guest, found as <c>docs/interop/firmware.json</c> of QEMU says: by the descriptors that
/// packages put where QEMU keeps its own.
/// </summary>
/// <param name="Code">The file with the firmware itself, only read.</param>
/// <param name="Variables">The file that a new machine's variables begin with.</param>
internal sealed record UefiFirmware(string Code, string Variables)
{
    private const long MaximumBytes = 64 << 10;
    private static readonly string[] s_folders = ["/etc/qemu/firmware", "/usr/share/qemu/firmware"];

    /// <summary>The first that fits our machine, by the descriptors' file names.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when there is none.</exception>
    public static UefiFirmware Require() => Find(s_folders)
        ?? throw new VirtigoException(FailureKind.Host, "No UEFI firmware for guests is installed.", "apt install ovmf");

    /// <summary>The first that fits our machine, or null.</summary>
    /// <param name="folders">Where descriptors are; the same name in an earlier folder comes first.</param>
    public static UefiFirmware? Find(IEnumerable<string> folders) => folders
        .Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateFiles(folder, "*.json"))
        .DistinctBy(Path.GetFileName)
        .OrderBy(Path.GetFileName, StringComparer.Ordinal)
        .Select(Read)
        .FirstOrDefault(firmware => firmware is not null && File.Exists(firmware.Code) && File.Exists(firmware.Variables));

    private static UefiFirmware? Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return file.Length > MaximumBytes ? null
                : JsonSerializer.Deserialize(file, FirmwareJson.Default.FirmwareDescriptor) is { } found && Fits(found)
                    && found.Mapping is { Executable.Filename: { } code, NvramTemplate.Filename: { } variables }
                    ? new UefiFirmware(code, variables) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    // One that insists on system management mode runs on another machine type than ours.
    private static bool Fits(FirmwareDescriptor found) =>
        found.InterfaceTypes?.Contains("uefi") == true && found.Features?.Contains("requires-smm") != true
        && found.Targets?.Any(target => target is { Architecture: "x86_64" } && target.Machines?.Any(IsOurs) == true) == true;

    private static bool IsOurs(string machine) => machine.StartsWith("pc-i440fx-", StringComparison.Ordinal) || machine == "pc";
}

internal sealed record FirmwareDescriptor(
    [property: JsonPropertyName("interface-types")] IReadOnlyList<string>? InterfaceTypes,
    [property: JsonPropertyName("mapping")] FirmwareMapping? Mapping,
    [property: JsonPropertyName("targets")] IReadOnlyList<FirmwareTarget>? Targets,
    [property: JsonPropertyName("features")] IReadOnlyList<string>? Features);

internal sealed record FirmwareMapping(
    [property: JsonPropertyName("executable")] FirmwareFile? Executable,
    [property: JsonPropertyName("nvram-template")] FirmwareFile? NvramTemplate);

internal sealed record FirmwareFile([property: JsonPropertyName("filename")] string? Filename);

internal sealed record FirmwareTarget(
    [property: JsonPropertyName("architecture")] string? Architecture,
    [property: JsonPropertyName("machines")] IReadOnlyList<string>? Machines);

[JsonSerializable(typeof(FirmwareDescriptor))]
internal sealed partial class FirmwareJson : JsonSerializerContext;
