using System.Text.Json;

namespace Virtigo.Images;

/// <summary>How an image was made: an in-toto statement of version 1 with SLSA's provenance of version 1.</summary>
internal static class ProvenanceStatement
{
    /// <summary>Names the kind of build; docs/images.md says what its parameters mean.</summary>
    public const string BuildType = "https://virtigo.invalid/build/v1";

    private const string Builder = "https://virtigo.invalid/builder/local";

    public static void Write(Utf8JsonWriter json, ImageManifest manifest)
    {
        var bill = new BillOfMaterials(manifest);
        json.WriteStartObject();
        json.WriteString("_type", "https://in-toto.io/Statement/v1");
        json.WriteStartArray("subject");
        json.WriteStartObject();
        json.WriteString("name", $"{manifest.Name}.{manifest.Disk.Format}");
        Digest(json, manifest.Disk.Sha256);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteString("predicateType", "https://slsa.dev/provenance/v1");
        json.WriteStartObject("predicate");
        Definition(json, bill);
        Details(json, bill);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Definition(Utf8JsonWriter json, BillOfMaterials bill)
    {
        ImageManifest manifest = bill.Manifest;
        json.WriteStartObject("buildDefinition");
        json.WriteString("buildType", BuildType);
        json.WriteStartObject("externalParameters");
        json.WriteString("spec", manifest.Spec);
        json.WriteStartObject("plan");
        foreach (ImagePlanValue value in manifest.Plan.DistinctBy(value => value.Key))
        {
            json.WriteString(value.Key, value.Value);
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("internalParameters");
        json.WriteString("installer", manifest.Installer.Version);
        json.WriteString("installerSource", manifest.Installer.Source);
        json.WriteString("installerKernel", manifest.Installer.KernelVersion);
        json.WriteEndObject();
        json.WriteStartArray("resolvedDependencies");
        foreach (ImageMaterial material in bill.Materials)
        {
            json.WriteStartObject();
            json.WriteString("uri", material.Url);
            Digest(json, material.Sha256);
            json.WriteStartObject("annotations");
            json.WriteString("verified", material.Verified);
            json.WriteNumber("size", material.Size);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        foreach (ImageComponent component in bill.Components)
        {
            json.WriteStartObject();
            json.WriteString("uri", bill.UrlOf(component));
            Digest(json, component.Sha256);
            json.WriteStartObject("annotations");
            json.WriteString("provenance", component.Provenance);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Details(Utf8JsonWriter json, BillOfMaterials bill)
    {
        ImageHypervisor hypervisor = bill.Manifest.Hypervisor;
        json.WriteStartObject("runDetails");
        json.WriteStartObject("builder");
        json.WriteString("id", Builder);
        json.WriteStartObject("version");
        json.WriteString("virtigo", bill.Manifest.ToolVersion);
        json.WriteString(hypervisor.Name, $"{hypervisor.Version}, {hypervisor.Accelerator}");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("metadata");
        json.WriteString("invocationId", bill.Manifest.Key);
        json.WriteString("finishedOn", bill.Created);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Digest(Utf8JsonWriter json, string sha256)
    {
        json.WriteStartObject("digest");
        json.WriteString("sha256", sha256);
        json.WriteEndObject();
    }
}
