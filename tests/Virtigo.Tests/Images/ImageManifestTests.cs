using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageManifestTests
{
    private static readonly string Key = TestStore.KeyOf("a");
    private static readonly byte[] Good = JsonSerializer.SerializeToUtf8Bytes(TestStore.Manifest(Key), ImageJson.Default.ImageManifest);

    [Fact]
    public void What_is_written_is_read_back()
    {
        ManifestReading reading = ImageManifestFile.Parse(Good, Key);
        Assert.Null(reading.Problem);
        Assert.Equal(Good, JsonSerializer.SerializeToUtf8Bytes(reading.Manifest!, ImageJson.Default.ImageManifest));
        Assert.Equal("nginx", Assert.Single(reading.Manifest!.Packages).Name);
        Assert.True(reading.Manifest.BootTest.LoginAnswered);
    }

    [Fact]
    public void Every_part_must_be_there_and_not_null()
    {
        foreach (string member in JsonNode.Parse(Good)!.AsObject().Select(pair => pair.Key).ToArray())
        {
            JsonObject without = JsonNode.Parse(Good)!.AsObject();
            without.Remove(member);
            // Images made before there was another firmware or hypervisor, or more than one network card or disk, do not name theirs; nor do those made before there were profiles.
            Assert.Equal(member is "firmware" or "networkCards" or "furtherDisks" or "proofs" or "profile", ImageManifestFile.Parse(Bytes(without), Key).Problem is null);
            JsonObject empty = JsonNode.Parse(Good)!.AsObject();
            empty[member] = null;
            Assert.NotNull(ImageManifestFile.Parse(Bytes(empty), Key).Problem);
        }
    }

    [Theory]
    [InlineData("plan")]
    [InlineData("archives")]
    [InlineData("packages")]
    [InlineData("materials")]
    [InlineData("timings")]
    [InlineData("networkCards")]
    [InlineData("proofs")]
    public void A_list_with_an_empty_entry_is_refused(string member)
    {
        JsonObject manifest = JsonNode.Parse(Good)!.AsObject();
        manifest[member]!.AsArray().Add(null);
        Assert.Contains("empty entry", ImageManifestFile.Parse(Bytes(manifest), Key).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("guests")]
    [InlineData("settings")]
    public void A_profile_with_an_empty_entry_is_refused(string member)
    {
        JsonObject manifest = JsonNode.Parse(Good)!.AsObject();
        manifest["profile"]![member]!.AsArray().Add(null);
        Assert.Contains("empty entry", ImageManifestFile.Parse(Bytes(manifest), Key).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_of_a_later_schema_is_named_as_such_whatever_its_shape()
    {
        string? problem = ImageManifestFile.Parse("""{"image": {"a": [1, {}]}, "schema": 7, "name": 3}"""u8, Key).Problem;
        Assert.Equal("manifest.json has schema 7, this Virtigo reads 1", problem);
    }

    [Fact]
    public void A_manifest_in_the_wrong_folder_is_refused() =>
        Assert.Contains("it belongs to", ImageManifestFile.Parse(Good, TestStore.KeyOf("b")).Problem, StringComparison.Ordinal);

    [Fact]
    public void Every_truncation_is_a_sentence_and_no_crash()
    {
        for (int length = 0; length < Good.Length - 1; length++)
        {
            Assert.NotNull(ImageManifestFile.Parse(Good.AsSpan(0, length), Key).Problem);
        }
    }

    [Fact]
    public void Deep_nesting_is_a_sentence_and_no_crash() =>
        Assert.NotNull(ImageManifestFile.Parse(Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 1_000_000)), Key).Problem);

    [Fact]
    public void Any_bytes_end_in_a_manifest_or_a_sentence() => Gen.Byte.Array[0, 300].Sample(
        content =>
        {
            ManifestReading reading = ImageManifestFile.Parse(content, Key);
            return (reading.Manifest is null) != (reading.Problem is null);
        },
        iter: 2000);

    [Fact]
    public void Any_damage_ends_in_a_manifest_or_a_sentence() =>
        Gen.Select(Gen.Int[0, Good.Length - 1], Gen.Byte, Gen.Int[0, Good.Length - 1], Gen.Byte).Sample(
            damage =>
            {
                byte[] content = [.. Good];
                content[damage.Item1] = damage.Item2;
                content[damage.Item3] = damage.Item4;
                ManifestReading reading = ImageManifestFile.Parse(content, Key);
                return (reading.Manifest is null) != (reading.Problem is null);
            },
            iter: 3000);

    [Fact]
    public void Any_bytes_are_a_disk_header_or_not() => Gen.Byte.Array[0, 200].Sample(
        content =>
        {
            byte[] disk = [0x51, 0x46, 0x49, 0xFB, 0, 0, 0, 3, .. content];
            return Qcow2Header.Parse(disk) is null or { VirtualBytes: > 0 };
        },
        iter: 2000);

    private static byte[] Bytes(JsonObject manifest) => Encoding.UTF8.GetBytes(manifest.ToJsonString());
}
