using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class UefiFirmwareTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("virtigo-firmware");

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void The_first_that_fits_and_is_there_is_taken()
    {
        string own = Folder("own"), shared = Folder("shared");
        Describe(own, "60-good.json", Good("own"));
        Describe(shared, "40-secure.json", Good("secure").Replace("[\"acpi-s3\"]", "[\"requires-smm\", \"secure-boot\"]", StringComparison.Ordinal));
        Describe(shared, "45-other.json", Good("other").Replace("pc-i440fx-*", "pc-q35-*", StringComparison.Ordinal));
        Describe(shared, "46-arm.json", Good("arm").Replace("x86_64", "aarch64", StringComparison.Ordinal));
        Describe(shared, "47-bios.json", Good("bios").Replace("\"uefi\"", "\"bios\"", StringComparison.Ordinal));
        Describe(shared, "48-gone.json", Good("gone"));
        File.Delete(Path.Combine(_root.FullName, "gone.code"));
        Describe(shared, "60-good.json", Good("shared"));
        Describe(shared, "70-later.json", Good("later"));

        Assert.Equal("own.code", Path.GetFileName(UefiFirmware.Find([own, shared])!.Code));
        Assert.Equal("shared.vars", Path.GetFileName(UefiFirmware.Find([shared])!.Variables));
        Assert.Null(UefiFirmware.Find([Path.Combine(_root.FullName, "none")]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"interface-types\": [\"uefi\"], \"targets\": [null], \"mapping\": {}}")]
    [InlineData("{\"interface-types\": 7}")]
    public void What_is_no_descriptor_is_passed_over(string text)
    {
        string folder = Folder("own");
        Describe(folder, "10-broken.json", text);
        Describe(folder, "60-good.json", Good("good"));

        Assert.Equal("good.code", Path.GetFileName(UefiFirmware.Find([folder])!.Code));
    }

    private string Folder(string name) => Directory.CreateDirectory(Path.Combine(_root.FullName, name)).FullName;

    private static void Describe(string folder, string name, string text) => File.WriteAllText(Path.Combine(folder, name), text);

    private string Good(string name)
    {
        string file = Path.Combine(_root.FullName, name);
        File.WriteAllText(file + ".code", "");
        File.WriteAllText(file + ".vars", "");
        return $$$"""
            {"description": "UEFI", "interface-types": ["uefi"],
             "mapping": {"device": "flash", "executable": {"filename": "{{{file}}}.code", "format": "raw"}, "nvram-template": {"filename": "{{{file}}}.vars", "format": "raw"}},
             "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*"]}], "features": ["acpi-s3"], "tags": []}
            """;
    }
}
